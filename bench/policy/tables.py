"""The figures of prediction as tables, for docs/prediction.md."""

from typing import Any

from bench.tables import table

NAMES = {
    "constant": "2000 ms for all",
    "type_median": "median of the kind's newest runs",
    "last_two": "mean of the last two",
    "ewma": "EWMA, backed off to wider levels",
    "trees": "scikit-learn's trees, same features",
    "ours": "SmartQueue",
}


def of_accuracy(report: dict[str, Any]) -> str:
    """All tables of bench/results/policy-accuracy.json."""
    logs = report["traces"]
    parts = [
        f"Python {report['python']}, NumPy {report['numpy']}, {report['cores']} cores, {report['measured_at'][:10]}. "
        "Each cell: MdAPE / mean |log2 ratio| / share within a factor of two / Spearman.",
        table(["", *logs], [[NAMES[who], *(errors(one["predictors"][who]) for one in logs.values())] for who in NAMES]),
        "The first job of a user and kind, the same figures.",
        table(
            ["", *logs],
            [[NAMES[who], *(errors(one["first_of_user_kind"][who]) for one in logs.values())] for who in NAMES],
        ),
        "Beside others, and the range.",
        beside(report),
        "One training on the runs that ended first (60 %), everything after predicted from it: mean |log2 ratio| of the"
        " whole, and in brackets of the network alone.",
        table(["", *report["ablation"]], ablation_rows(report["ablation"])),
        costs(report["costs"]),
    ]
    return "\n\n".join(parts)


def errors(of: dict[str, float]) -> str:
    return f"{of['mdape']:.3f} / {of['malr']:.3f} / {of['within_2x']:.2f} / {of['spearman']:.2f}"


def beside(report: dict[str, Any]) -> str:
    goals, logs = report["goals"], report["traces"]
    return table(
        ["", *logs],
        [
            [
                "|log2 ratio| by that of scikit-learn's trees",
                *(f"{goals['ratio_to_trees'][name]:.3f}" for name in logs),
            ],
            ["by that of the best simple predictor", *(f"{goals['ratio_to_best_simple'][name]:.3f}" for name in logs)],
            ["runs within p10 and p90", *(f"{one['p10_p90_coverage']:.1%}" for one in logs.values())],
            ["trainings, new models used", *(f"{one['trained']}, {one['promoted']}" for one in logs.values())],
        ],
    )


def ablation_rows(found: dict[str, Any]) -> list[list[str]]:
    parts = next(iter(found.values()))
    return [
        [part, *(f"{one[part]['malr']:.3f} ({one[part]['network_malr']:.3f})" for one in found.values())]
        for part in parts
    ]


def costs(of: dict[str, float]) -> str:
    return (
        f"A prediction takes {of['single_us']:.0f} µs alone and {of['batch_us_each']:.1f} µs in a batch of 1,000,"
        f" features included; a training on {of['training_runs']:,} runs {of['training_seconds']:.0f} s on one core,"
        f" after {of['examples_seconds']:.0f} s in which the log is replayed, and {of['megabytes']:.0f} MB in all;"
        f" stored weights are {of['weights_kilobytes']:.0f} KB."
    )
