"""The report: what it makes of figures, what it says where there are none, and the runs that it is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench_parts
from benchmarks.bench import measure
from benchmarks.bench_parts import FULL, QUICK, AskRun, ChatRun, TurnsRun
from benchmarks.bench_runs import AT_ONCE
from benchmarks.report import render, write_report
from benchmarks.report_endpoints_verdicts import endpoints_targets
from benchmarks.report_measured import Measured, lost, read_measured
from benchmarks.report_plots import PLOTS
from benchmarks.report_tables import machine
from benchmarks.report_verdicts import RATIO, Target, number, targets
from tests.requester_figures import FIGURES

APPS = ("ours", "reference")


def spread(p50: float, p99: float) -> dict[str, float]:
    return {"p50": p50, "p99": p99, "p999": p99 + 1, "max": p99 + 2}


def chat(users: int, over: float, cpu: float, added: float, *, finished: int | None = None) -> dict[str, Any]:
    finished = users if finished is None else finished
    figures = {
        "users": users,
        "over": over,
        "asked": users,
        "finished": finished,
        "failed": {"timeout": users - finished} if finished < users else {},
        "first_token_ms": spread(2_000 + added / 2, 2_000 + added) if finished else None,
        "added_ms": spread(added / 2, added) if finished else None,
        "transit_ms": spread(25, 50) if finished else None,
        "cpu_per_question_ms": cpu,
        "cpu_s": cpu * users / 1e3,
        "seconds": over + 10,
        "rss_mib": 400.0,
        "generator_cpu_share": 0.25,
        "model_cpu_share": 0.31,
    }
    return {"run": {"tokens": 100}, "figures": figures}


def tokens(run: dict[str, Any], count: int) -> dict[str, Any]:
    return {**run, "run": {"tokens": count}}


def flow_run(variant: str, load: str, per_s: float, p99: float) -> dict[str, Any]:
    return {
        "variant": variant,
        "load": load,
        "every_s": 5.0 if load == "paced" else 0.0,
        "failed": {},
        "unfinished": 0,
        "per_s": per_s,
        "ms": spread(1_255, p99),
        "quantiles_ms": [1_250 + (p99 - 1_250) * i / 100 for i in range(101)],
        "cpu_per_request_ms": 1.5,
        "rss_mib": 110.0,
        "generator_cpu_share": 0.4,
    }


def phase(p99: float, *, finished: int) -> dict[str, Any]:
    return {"asked": 600, "finished": finished, "first_token_ms": {"p50": 2_000.0, "p99": p99, "p999": p99}}


RUNS: Mapping[str, Mapping[str, Any]] = {
    "light-ours": chat(60, 30, 20.0, 40),
    "light-reference": chat(60, 30, 130.0, 300),
    "prepare-ours": chat(200, 20, 20.5, 40),
    "prepare-reference": chat(200, 20, 102.0, 300),
    "short-ours": tokens(chat(45, 30, 18.0, 40), 1),
    "long-ours": tokens(chat(45, 30, 25.98, 40), 400),
    "short-reference": tokens(chat(45, 30, 60.0, 100), 1),
    "long-reference": tokens(chat(45, 30, 259.5, 100), 400),
    "crowd-ours": chat(1_500, 60, 21.0, 480),
    "crowd-simulated": chat(1_500, 60, 9.0, 80),
    "crowd-reference": chat(1_500, 60, 90.0, 0, finished=0),
    "rush-ours": chat(500, 10, 21.0, 1_600, finished=499),
    "rush-reference": {"run": {"tokens": 100}, "error": "It was stopped after 190 seconds.\nits last words"},
    "visits": {
        "run": {"tokens": 100},
        "figures": {
            **chat(100, 0, 20.0, 50)["figures"],
            "minutes": 10,
            "memory": [[0, 400.0], [300, 410.0], [600, 408.0]],
            "memory_grown_percent": -0.5,
        },
    },
    "flow": {
        "run": {},
        "figures": {
            "users": 1_000,
            "rate": 200,
            "runs": [
                flow_run("async", "paced", 199.0, 1_376.0),
                flow_run("sync", "paced", 51.0, 20_000.0),
                flow_run("async", "saturated", 540.0, 2_400.0),
                flow_run("sync", "saturated", 50.0, 22_000.0),
            ],
        },
    },
    "ask": {"run": {}, "figures": {"markdown": "### offline analyst"}},
    "endpoints": {
        "run": {},
        "figures": {
            "rate": 20,
            "seconds": 30,
            "healthy": phase(2_800.0, finished=600),
            "faulty": phase(3_400.0, finished=599),
        },
    },
    "requester": {"run": {}, "figures": FIGURES},
}
MACHINE = {
    "cores": 2,
    "processor": "Some CPU",
    "memory_gib": 23.5,
    "system": "Linux 6.1",
    "python": "3.11.7",
    "date": "2026-01-31",
    "commit": "abc1234",
    "packages": {"chainlit": "2.12.0"},
}
MEASURED = Measured(RUNS, MACHINE)


def test_the_cost_of_a_token_is_the_slope_between_a_short_and_a_long_answer() -> None:
    cost = MEASURED.cost("reference")
    assert cost is not None
    assert cost.per_token_us == pytest.approx(500.0)
    assert cost.fixed_ms == pytest.approx(59.5)
    assert Measured({}, {}).cost("ours") is None


def test_endpoints_that_fail_may_lose_nothing_and_take_twice_as_long() -> None:
    figures = RUNS["endpoints"]["figures"]
    # A question is lost; 3.4 s are less than twice 2.8.
    assert [target.met for target in endpoints_targets(figures)] == ["no", "yes"]
    slow = {**figures, "faulty": phase(5_601.0, finished=600)}
    assert [target.met for target in endpoints_targets(slow)] == ["yes", "no"]
    assert [target.met for target in endpoints_targets({**figures, "seconds": 3})] == ["not measured"] * 2


def test_every_target_is_held_against_its_own_limit() -> None:
    met = [(target.what, target.met) for target in targets(MEASURED)]
    assert met == [
        ("CPU per question, over all of three loads", "not measured"),  # one of them was not run
        ("… at 2 a second", "yes"),  # 130 / 20 = 6.5 times
        ("… at 5 a second", "not measured"),
        ("… at 10 a second, the most that the reference still answers", "no"),  # 102 / 20.5 = 4.98 times
        ("CPU per token", "yes"),  # 500 / 20 = 25 times
        ("1,500 people within 60 s: lost", "yes"),
        ("… first token, added by the app, p99", "yes"),  # 480 ms
        ("500 people within 10 s: lost", "no"),  # one of them
        ("… first token, added by the app, p99", "no"),  # 1,600 ms
        ("Flow at 200 requests/s: failed", "yes"),
        ("… whole, p99", "no"),  # a millisecond too late
        ("Flow: throughput", "yes"),  # 10.8 times
        ("Ten minutes of visits: memory grown", "yes"),
    ]


def test_the_cost_of_a_question_is_that_of_all_questions_that_were_answered() -> None:
    runs = {
        f"{load}-{app}": {"run": {}, "figures": {"cpu_per_question_ms": ms, "finished": answered}}
        for load, answered, ours, theirs in (("light", 60, 20, 90), ("middle", 100, 15, 90), ("prepare", 200, 15, 85))
        for app, ms in (("ours", ours), ("reference", theirs))
    }
    first = targets(Measured(runs, {}))[0]
    assert first.ours == pytest.approx((60 * 20 + 300 * 15) / 360)
    assert first.theirs == pytest.approx((160 * 90 + 200 * 85) / 360)
    assert first.met == "yes"


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {target.met for target in targets(Measured({}, {}))} == {"not measured"}


def test_a_smaller_run_than_was_asked_for_meets_no_target() -> None:
    flow = {"run": {}, "figures": {**RUNS["flow"]["figures"], "users": 100}}
    small = Measured({"crowd-ours": chat(100, 6, 20.0, 10), "rush-ours": chat(40, 2, 20.0, 10), "flow": flow}, {})
    assert {target.met for target in targets(small)} == {"not measured"}


@pytest.mark.parametrize(
    ("pair", "unit", "ratio"),
    [((20.0, 100.0), "ms", 5.0), ((300.0, 50.0), "/s", 6.0), ((0.0, 10.0), "ms", None), ((20.0, None), "ms", None)],
)
def test_a_ratio_says_how_many_times_better_ours_is(
    pair: tuple[float, float | None], unit: str, ratio: float | None
) -> None:
    assert Target("cost", pair, unit, "", 5, RATIO).ratio == ratio


@pytest.mark.parametrize(("value", "met"), [(499.9, "yes"), (500.0, "no")])
def test_a_target_below_a_limit_is_missed_at_the_limit(value: float, met: str) -> None:
    assert Target("added", (value, None), "ms", "under 500 ms", 500, "ours below").met == met


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(None, "ms", "-"), (0, "", "0"), (1_500, "", "1,500"), (0.345, "ms", "0.34 ms"), (12.34, "/s", "12.3/s")],
)
def test_numbers_are_rounded_to_what_counts(value: float | None, unit: str, text: str) -> None:
    assert number(value, unit) == text


def test_the_report_shows_ours_beside_the_reference_and_what_was_lost() -> None:
    text = render(MEASURED, list(PLOTS))
    assert "| … at 2 a second | 20 ms | 130 ms | 6.5 times | 5 times less | yes |" in text
    assert "| 1,500 within 60 s | reference | 1,500 | 0 | - | - | - | - | - | - |" in text
    assert "- 500 within 10 s, ours: 1 timeout." in text
    assert "- The run “rush-reference” failed: It was stopped after 190 seconds." in text
    assert "its last words" not in text
    assert "| sync | 200/s offered | 51 | 0 | 1,255 | 20,000 |" in text
    assert "| 60 within 30 s | ours | 25 | 50 | 51 | 20 ms | 3 % | 400 MiB | 25 % | 31 % |" in text
    assert "| … weights: its farthest endpoint is off by | 0.50% | - | - | at most 2% | yes |" in text
    assert "Some CPU" in text
    assert "$" not in text
    assert lost(MEASURED.figures("crowd-reference")) == 1_500


def test_a_report_of_nothing_says_so_everywhere(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    write_report(tmp_path / "kept", tmp_path / "docs")
    text = (tmp_path / "docs" / "performance.md").read_text()
    assert "*Not measured in this run.*" in text
    assert "| yes |" not in text
    assert list((tmp_path / "docs" / "benchmarks").iterdir()) == []


def test_every_plot_is_drawn_and_one_without_figures_is_taken_away(tmp_path: Path) -> None:
    kept, docs = tmp_path / "kept", tmp_path / "docs"
    kept.mkdir()
    for name, told in {**RUNS, "machine": MACHINE}.items():
        (kept / f"{name}.json").write_text(json.dumps(told))
    write_report(kept, docs)
    assert {file.stem for file in (docs / "benchmarks").glob("*.png")} == set(PLOTS)
    (kept / "visits.json").unlink()
    write_report(kept, docs)
    assert not (docs / "benchmarks" / "memory.png").exists()
    assert "(benchmarks/memory.png)" not in (docs / "performance.md").read_text()


def test_of_turns_the_one_whose_ratio_is_the_median_stands_for_both_apps(tmp_path: Path) -> None:
    spent = [(20.0, 80.0), (30.0, 180.0), (21.0, 105.0)]  # The machine was slow at the second: 4, 6 and 5 times.
    turns = [{app: chat(60, 30, cpu, 40)["figures"] for app, cpu in zip(APPS, turn, strict=True)} for turn in spent]
    (tmp_path / "light.json").write_text(json.dumps({"run": {"tokens": 100}, "figures": {"turns": turns}}))
    measured = read_measured(tmp_path)
    assert [target.pair for target in targets(measured) if "at 2 a second" in target.what] == [(21.0, 105.0)]
    assert "| turn 2 | 30 ms | 180 ms | 6.00 times |" in render(measured, [])


@pytest.mark.parametrize("parts", [FULL, QUICK], ids=["full", "quick"])
def test_every_run_has_a_name_of_its_own(parts: dict[str, bench_parts.Part]) -> None:
    names = [one.name for part in parts.values() for one in part]
    assert len(names) == len(set(names))


def test_turns_are_measured_on_both_apps(tmp_path: Path) -> None:
    assert measure([TurnsRun("turns", users=1, over=0.1, turns=1, tokens=2)], tmp_path, AT_ONCE) == []
    told = read_measured(tmp_path)
    (turn,) = told.turns("turns")
    assert [turn[app]["finished"] for app in APPS] == [1, 1]
    assert told.figures("turns-reference") == turn["reference"]


def test_a_run_is_measured_and_one_that_fails_does_not_cost_it(tmp_path: Path) -> None:
    answered = ChatRun("answered", "ours", users=2, over=0.2, tokens=3)
    hopeless = AskRun("hopeless", rounds=0)
    assert measure([hopeless, answered], tmp_path, AT_ONCE) == ["hopeless"]
    measured = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("answered", "hopeless")}
    assert measured["answered"]["figures"]["finished"] == 2
    assert measured["answered"]["figures"]["tokens"] == 6
    assert measured["answered"]["figures"]["cpu_per_question_ms"] > 0
    assert "figures" not in measured["hopeless"]
    assert "--rounds" in measured["hopeless"]["error"]


def test_the_report_says_of_which_code_it_tells() -> None:
    assert "measured on 2026-01-31 at commit abc1234." in machine(MEASURED)
    assert "measured on 2026-01-31." in machine(Measured(RUNS, MACHINE | {"commit": ""})), "of a folder without git"
