"""Names the nodes of sqlglot's trees, and the parts of them, that a plain query is made of.

A class that is not named here is refused wherever it stands. Source: sqlglot 30.30, `expressions/`.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

_SHAPES = """
Select Subquery Union Except Intersect With CTE TableAlias RecursiveWithSearch
From Join Lateral Table Values Tuple Unnest Where Group Having Qualify Order Ordered Limit LimitOptions Fetch Offset
Distinct
Rollup Cube GroupingSets Window WindowSpec WithinGroup Filter IgnoreNulls RespectNulls
Alias Column Identifier Star Dot Literal Null Boolean Var HexString BitString ByteString National Paren
DataType DataTypeParam Interval IntervalSpan Array Struct PropertyEQ Bracket Slice Lambda Kwarg
Add Sub Mul Div IntDiv Mod Neg DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift
EQ NEQ NullSafeEQ NullSafeNEQ GT GTE LT LTE Is In Between Like ILike Glob SimilarTo Escape Not And Or Xor Any All
Exists Match
Overlaps Adjacent ArrayContainsAll ArrayContainedBy ArrayOverlaps Case If Cast TryCast Collate AtTimeZone
JSON JSONKeyValue JSONPath JSONPathKey JSONPathRoot JSONPathSubscript JSONPathWildcard JSONPathSlice
JSONPathRecursive JSONPathUnion JSONPathSelector JSONColumnDef JSONSchema JSONValue FormatJson JSONExtractQuote
Distance Host IndexTableHint Partition
Pivot PivotAlias PivotAny UnpivotColumns TableSample Comprehension PositionalColumn ColumnDef OnCondition
"""

_FUNCTIONS = """
Abs Acos Acosh Anonymous AnyValue ApproxDistinct ApproxQuantile ApproxTopK ArgMax ArgMin ArrayAgg ArrayAppend
ArrayConcat
ArrayContains ArrayDistinct ArrayFilter ArrayFirst ArrayIntersect ArrayLast ArrayMax ArrayMin ArrayPosition
ArrayPrepend
ArrayRemove ArrayReverse ArraySize ArraySlice ArraySort ArraySum ArrayToString Ascii Asin Asinh Atan Atan2 Atanh Avg
BitLength BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg Cbrt Ceil Chr Coalesce Columns Concat ConcatWs
Contains
Convert ConvertTimezone Corr Cos Cosh Cot Count CountIf CovarPop CovarSamp CumeDist CurrentDate CurrentTime
CurrentTimestamp
CurrentDatetime Date DateAdd DateBin DateDiff DateFromParts DateSub DateTrunc Datetime Day DayOfMonth DayOfWeek
DayOfWeekIso DayOfYear Dayname Decode DecodeCase Degrees DenseRank Elt Encode EndsWith Exp Explode
ExplodingGenerateSeries Extract First FirstValue Flatten Floor Format FromBase64 FromJson GenerateSeries Greatest
GroupConcat Grouping GroupingId Hex Hour Initcap IsInf IsNan JSONArray JSONArrayAgg JSONArrayAppend
JSONArrayContains JSONBContains JSONBContainsAllTopKeys JSONBContainsAnyTopKeys JSONBContainsTopKey
JSONBDeleteAtPath
JSONBExists JSONBExtract JSONBExtractScalar JSONBObjectAgg JSONBPathExists JSONExtract JSONExtractScalar JSONFormat
JSONKeys JSONObject JSONObjectAgg JSONRemove JSONSet JSONStripNulls JSONTable JSONType JSONExists JSONCast
JarowinklerSimilarity JustifyDays JustifyHours JustifyInterval Kurtosis Lag Last LastDay LastValue Lead Least Left
Length
Levenshtein Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower MD5 MakeInterval Map MapFromEntries MapKeys
MatchAgainst Max Median Min Minute Mode Month Monthname MonthsBetween Normalize NthValue Ntile Nullif NumberToStr
Overlay
Pad ParseJSON PercentRank PercentileCont PercentileDisc Pi Pow Quantile Quarter Radians Rand Rank Reduce RegexpCount
RegexpExtract RegexpExtractAll RegexpFullMatch RegexpILike RegexpInstr RegexpLike RegexpReplace RegexpSplit
RegexpSubstr
RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy RegrSyy Repeat Replace Reverse Right
Round
RowNumber SHA SHA2 SHA2Digest Second Sign Sin Sinh Skewness Soundex Space Split SplitPart Sqrt StartsWith Stddev
StddevPop
StddevSamp StrPosition StrToDate StrToTime StrToUnix StringToArray StructExtract Substring SubstringIndex Sum Tan
Tanh
Time TimeDiff TimeFromParts TimeToStr TimeToUnix Timestamp TimestampAdd TimestampDiff TimestampFromParts
TimestampSub
TimestampTrunc TimeAdd TimeSub TimeStrToTime TimeTrunc ToBase64 ToChar ToDays ToMap ToNumber Transform Translate
Trim
Trunc Try TsOrDiToDi TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToTime TsOrDsToTimestamp TsOrDsToDateStr Typeof Unhex
Unicode UnixToTime UnixToStr UnixSeconds UnixMillis UnixMicros UnixDate Upper UtcDate UtcTime UtcTimestamp
Variance VariancePop Week WeekOfYear WidthBucket Year YearOfWeek YearOfWeekIso DateStrToDate Unnest
"""

NODES: frozenset[type[exp.Expr]] = frozenset(getattr(exp, name) for name in (_SHAPES + _FUNCTIONS).split())
"""Every class that may stand in a tree."""

_QUERY = "with_ this expression expressions distinct by_name side kind on order limit offset"


def _parts(names: str) -> frozenset[str]:
    return frozenset(names.split())


PARTS: dict[type[Any], frozenset[str]] = {
    exp.Select: _parts(
        """with_ distinct expressions from_ joins laterals where group having qualify windows order limit offset
        sample"""
    ),
    exp.Union: _parts(_QUERY),
    exp.Except: _parts(_QUERY),
    exp.Intersect: _parts(_QUERY),
    exp.Subquery: _parts("this alias with_ joins laterals order limit offset sample pivots"),
    exp.With: _parts("expressions recursive search"),
    exp.CTE: _parts("this alias materialized"),
    exp.Table: _parts("this alias db catalog joins laterals only ordinality sample pivots indexed hints partition"),
    exp.Partition: _parts("expressions"),
    exp.Join: _parts("this on side kind using method pivots"),
    exp.Column: _parts("this table db catalog"),
    exp.In: _parts("this expressions query field unnest"),
    exp.Order: _parts("this expressions"),
    exp.TableAlias: _parts("this columns"),
    exp.Lateral: _parts("this view outer alias ordinality"),
    exp.Group: _parts("expressions rollup cube grouping_sets all totals"),
}
"""The parts that may be filled, for the classes where sqlglot keeps hints, locks and INTO in parts."""

_TYPES = """
ARRAY BIGDECIMAL BIGINT BINARY BIT BLOB BOOLEAN BPCHAR CHAR CHARACTER_SET DATE DATETIME DATETIME2 DECIMAL DOUBLE
ENUM
FLOAT  INT INT128 INTERVAL JSON JSONB LIST LONGBLOB LONGTEXT MAP MEDIUMBLOB MEDIUMINT MEDIUMTEXT MONEY NAME NCHAR
NUMMULTIRANGE NUMRANGE NVARCHAR DATERANGE INT4RANGE INT8RANGE TSRANGE TSTZRANGE SMALLINT STRUCT TEXT TIME TIMETZ
TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ TIMESTAMP_MS TIMESTAMP_NS TIMESTAMP_S TINYBLOB TINYINT TINYTEXT
UBIGINT
UDECIMAL UINT UINT128 UMEDIUMINT UNION USMALLINT UTINYINT UUID VARBINARY VARCHAR YEAR INET DECIMAL32 DECIMAL64
DECIMAL128 NULL UNKNOWN
"""

TYPES = frozenset(t for t in exp.DataType.Type if t.name in _TYPES.split())
"""Types a value may be cast to: the database's own, and none that looks a name up in a catalogue (REGCLASS)."""
