"""Names the functions that a query may call, dialect by dialect; a function that is not named here is refused.

Each one is computed from its arguments (or the clock, or chance) alone: none reads a file, a setting, a catalogue,
the network or a session, none writes, locks or waits, and none runs text as SQL. Functions whose arguments can ask
for any amount of memory (`repeat`, `generate_series`, `printf`) are named here and bounded in guard_bombs.

Sources: the function chapters of the manuals: SQLite "Built-In Scalar SQL Functions", "Date And Time Functions",
"Window Functions", "JSON Functions"; PostgreSQL 9.1 to 9.25; MySQL 14 "Functions and Operators"; DuckDB "Functions".
"""

from __future__ import annotations

from tools.catalog import Dialect

_EVERYWHERE = """
abs acos asin atan atan2 ceil ceiling cos cot degrees exp floor ln log log10 log2 mod pi pow power radians round
sign sin sqrt tan
coalesce nullif cast
concat concat_ws length lower upper ltrim rtrim trim replace substr substring instr
avg count max min sum
row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
date time
"""

_SQLITE = """
char format glob hex if ifnull iif like likelihood likely max min octet_length printf quote random soundex typeof
unhex
unicode unlikely
datetime julianday strftime timediff unixepoch
acosh asinh atanh cosh sinh tanh trunc
group_concat string_agg total median percentile percentile_cont percentile_disc stddev stddev_pop stddev_samp
variance
json json_array json_array_length json_error_position json_extract json_group_array json_group_object json_insert
json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid
jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
jsonb_remove jsonb_replace jsonb_set
bm25 highlight snippet
json_each json_tree jsonb_each jsonb_tree
"""

_ANALYTICS = """
acosh asinh atanh cosh sinh tanh cbrt trunc random greatest least
ascii bit_length char_length character_length chr lpad rpad left right md5 octet_length position repeat reverse
split_part
starts_with strpos translate overlay btrim regexp_replace regexp_matches regexp_split_to_array format to_char
current_date current_time current_timestamp localtime localtimestamp now age date_part date_trunc extract make_date
make_time make_timestamp make_timestamptz to_timestamp timezone isfinite transaction_timestamp timestamp timestamptz
array_agg string_agg bit_and bit_or bit_xor bool_and bool_or corr covar_pop covar_samp every mode percentile_cont
percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev
stddev_pop stddev_samp var_pop var_samp variance any_value grouping
array_length array_append array_cat array_position array_prepend array_to_string cardinality
unnest generate_series
json_object row_to_json to_json json_array_length json_extract_path json_extract_path_text
"""

_POSTGRES = """
div gcd lcm erf scale min_scale trim_scale width_bucket sind cosd tand asind acosd atand cotd erfc gamma lgamma
num_nulls num_nonnulls to_bin to_oct sha224 sha384 sha512 parse_ident casefold generate_subscripts
initcap to_ascii to_hex quote_literal quote_ident quote_nullable regexp_count regexp_instr regexp_like regexp_match
regexp_substr regexp_split_to_table string_to_array string_to_table normalize encode decode sha256 unaccent
similarity word_similarity strict_word_similarity levenshtein soundex metaphone dmetaphone difference
clock_timestamp statement_timestamp date_bin date_add date_subtract justify_days justify_hours justify_interval
make_interval to_date to_number interval row
json_agg jsonb_agg json_object_agg jsonb_object_agg
array_dims array_lower array_upper array_ndims array_positions array_remove array_replace array_sort array_reverse
trim_array
json_array_elements json_array_elements_text json_build_array json_build_object json_each json_each_text
json_object_keys json_strip_nulls json_typeof json_value json_exists json_query
jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
jsonb_each_text jsonb_exists jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_keys
jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty
jsonb_strip_nulls jsonb_to_record jsonb_to_recordset json_to_record json_to_recordset jsonb_typeof to_jsonb
jsonb_set jsonb_insert jsonb_concat array_to_json
lower_inc upper_inc isempty daterange int4range int8range numrange tsrange tstzrange range_merge
lower_inf upper_inf
plainto_tsquery phraseto_tsquery to_tsquery to_tsvector ts_rank ts_rank_cd websearch_to_tsquery setweight numnode
host masklen network netmask hostmask broadcast abbrev
text varchar int4 int8 float8 numeric
"""

_DUCKDB = """
add subtract multiply divide fdiv fmod even gamma lgamma gcd greatest_common_divisor lcm least_common_multiple
bit_count isinf isnan nextafter round_even roundbankers signbit
array_extract array_slice bar bin chr concat contains damerau_levenshtein editdist3 ends_with hamming hash hex
jaccard jaro_similarity jaro_winkler_similarity lcase left_grapheme len length_grapheme levenshtein like_escape
md5_number mismatches nfc_normalize not_like_escape ord parse_filename prefix printf regexp_extract
regexp_extract_all regexp_full_match regexp_split_to_table right_grapheme sha1 sha256 split str_split
str_split_regex
string_split string_split_regex string_to_array strip_accents strlen substring_grapheme suffix to_base64 to_base
to_hex
ucase unbin unhex unicode url_decode url_encode from_base64 encode decode
century datediff date_add date_diff date_sub datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear
decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian last_day microsecond millennium millisecond
minute month monthname nanosecond quarter second strftime strptime time_bucket today get_current_timestamp
current_localtimestamp timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds
to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years try_strptime week weekday
weekofyear year yearweek make_timestamp_ns make_timestamp_ms make_interval interval
any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_min argmax argmin array_agg avg
bitstring_agg countif count_if count_star entropy favg first fsum geomean geometric_mean group_concat histogram
kahan_sum kurtosis kurtosis_pop last list listagg mad max_by mean median min_by product quantile quantile_cont
quantile_disc sem skewness sumkahan weighted_avg stddev product string_agg grouping_id
fill rank wavg arg_max_null arg_min_null histogram_exact
aggregate apply array_aggregate array_apply array_concat array_contains array_cosine_distance
array_cosine_similarity
array_cross_product array_distance array_distinct array_filter array_grade_up array_has array_has_all array_has_any
array_indexof array_inner_product array_intersect array_reduce array_reverse array_reverse_sort array_sort
array_to_string array_transform array_unique array_value array_where array_zip array_select array_pop_back
array_pop_front array_push_back array_push_front
filter flatten list_aggregate list_any_value list_append list_apply list_avg list_cat list_concat list_contains
list_count list_distinct list_element list_extract list_filter list_first list_has list_has_all list_has_any
list_histogram list_indexof list_intersect list_last list_max list_median list_min list_mode list_pack list_position
list_prepend list_product list_reduce list_reverse list_reverse_sort list_select list_slice list_sort list_std
list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique list_value list_var_pop
list_var_samp list_where list_zip list_any_value len reduce
cardinality element_at map map_contains map_entries map_extract map_from_entries map_keys map_values map_concat
row struct_concat struct_contains struct_extract struct_extract_at struct_insert struct_pack struct_position
struct_values
union_extract union_tag union_value
json json_array json_contains json_each json_exists json_extract json_extract_string json_group_array
json_group_object json_group_structure json_keys json_merge_patch json_quote json_structure json_transform
json_transform_strict json_tree json_type json_valid json_value array_to_json from_json to_json json_pretty
if ifnull isnull typeof columns try try_cast exclude alias range
uuid_extract_timestamp
"""

_MYSQL = """
acos conv crc32 rand truncate greatest least if ifnull isnull std
ascii bin bit_length char char_length character_length elt field find_in_set format hex lcase left locate lower
lpad make_set mid oct octet_length ord position quote repeat reverse right rpad soundex space strcmp substring_index
ucase unhex upper to_base64 from_base64 regexp_like regexp_instr regexp_replace regexp_substr md5 sha sha1 sha2
adddate addtime convert convert_tz curdate current_date current_time current_timestamp curtime date_add date_format
date_sub datediff day dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour
last_day localtime localtimestamp makedate maketime microsecond minute month monthname now period_add period_diff
quarter sec_to_time second str_to_date subdate subtime sysdate time_format time_to_sec timediff timestamp
timestampadd timestampdiff to_days to_seconds unix_timestamp utc_date utc_time utc_timestamp week weekday weekofyear
year yearweek
any_value bit_and bit_or bit_xor bit_count group_concat grouping json_arrayagg json_objectagg stddev stddev_pop
stddev_samp
var_pop var_samp variance median percentile_cont percentile_disc
json_array json_contains json_contains_path json_depth json_extract json_keys json_length json_object json_overlaps
json_pretty json_quote json_search json_table json_type json_unquote json_valid json_value json_merge_patch
json_merge_preserve json_remove json_replace json_set json_insert json_array_append
match binary
"""

FUNCTIONS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset((_EVERYWHERE + _SQLITE).split()),
    "postgres": frozenset((_EVERYWHERE + _ANALYTICS + _POSTGRES).split()),
    "duckdb": frozenset((_EVERYWHERE + _ANALYTICS + _DUCKDB).split()),
    "mysql": frozenset((_EVERYWHERE + _MYSQL).split()),
}
"""What may stand before a parenthesis as a function, in lower case."""

TABLE_FUNCTIONS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset("json_each json_tree jsonb_each jsonb_tree".split()),
    "postgres": FUNCTIONS["postgres"],
    "duckdb": frozenset("unnest generate_series range json_each json_tree generate_subscripts".split()),
    "mysql": frozenset({"json_table"}),
}
"""What may be called in FROM. PostgreSQL calls the same functions there; DuckDB has others of the same names, and
its table macro `histogram('a table', 'a column')` reads any table or file that is named in a text."""

BOUNDED = frozenset(
    """repeat space lpad rpad to_base bar range generate_series generate_subscripts printf format replace regexp_replace
    list_reduce array_reduce reduce list_transform list_apply array_transform array_apply apply list_select array_select
    list_aggregate array_aggregate aggregate list_string_agg array_to_string string_agg group_concat listagg concat_ws
    to_char strftime hex bin encode to_base64 url_encode json_quote to_json json_pretty""".split()
)
"""What can make much of little: called with the arguments in the parentheses alone, never as `x.repeat(9)`."""
