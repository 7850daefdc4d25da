from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from orchestration.clv.history import History, history

LAST_CALIBRATION_DAY = "19970930"


@pytest.fixture(scope="session")
def cdnow_file(real_data: Path) -> Path:
    return real_data / "cdnow" / "cdnow_customers_summary.csv"


@pytest.fixture(scope="session")
def cdnow(cdnow_file: Path) -> History:
    """2,357 customers in weeks, 39 weeks to 1997-09-30."""
    table = np.genfromtxt(cdnow_file, delimiter=",", names=True)
    return history(table["frequency"], table["recency"], table["T"])


@pytest.fixture(scope="session")
def cdnow_days(real_data: Path) -> dict[str, dict[str, float]]:
    """Spend per sample customer and day, the customers in the order of the summary."""
    days: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in (real_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, dollars = line.split()
        days[customer][day] += float(dollars)
    return dict(sorted(days.items()))


@pytest.fixture(scope="session")
def cdnow_values(cdnow_days: dict[str, dict[str, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Repeat orders and their mean value of the 946 customers who have one."""
    rows = []
    for days in cdnow_days.values():
        repeat = [days[day] for day in sorted(days)[1:] if day <= LAST_CALIBRATION_DAY]
        if repeat:
            rows.append((len(repeat), sum(repeat) / len(repeat)))
    x, z = np.array(rows).T
    return x, z


@pytest.fixture(scope="session")
def cdnow_held_out(cdnow_days: dict[str, dict[str, float]]) -> np.ndarray:
    """Orders of each customer in the 39 weeks after the calibration."""
    return np.array(
        [sum(day > LAST_CALIBRATION_DAY for day in days) for days in cdnow_days.values()]
    )


@pytest.fixture(scope="session")
def donations(real_data: Path) -> History:
    table = np.genfromtxt(real_data / "cdnow" / "donations.csv", delimiter=",", names=True)
    return history(table["frequency"], table["recency"], table["periods"], table["weights"])
