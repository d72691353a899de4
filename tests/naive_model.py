"""The model's rules as loops a reviewer can check by eye; written from the design, not from the engine."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np


def decays():
    """Hourly decays: 0.97 a day, and a half-life of 24 hours."""
    return 0.97 ** (1 / 24), 0.5 ** (1 / 24)


def mixture(long_run, slow, fast):
    return max(0.2 * long_run + 0.4 * slow + 0.4 * fast, 0.49 * long_run)


def variances(returns, long_run, slow, fast):
    """The variance used for each return, and the memories after the last."""
    slow_decay, fast_decay = decays()
    used = []
    for r in returns:
        used.append(mixture(long_run, slow, fast))
        slow = slow_decay * slow + (1 - slow_decay) * r * r
        fast = fast_decay * fast + (1 - fast_decay) * r * r
    return used, slow, fast


def path(residuals, moves, long_run, slow, fast, cap, season=None):
    """One filtered path: cumulative log return and volatility shock; `season` holds variance factors (ahead, own)."""
    slow_decay, fast_decay = decays()
    v, x, e, out = min(mixture(long_run, slow, fast), cap), 0.0, 0.0, []
    for z, move, (ahead, own) in zip(residuals, moves, season or [(1.0, 1.0)] * len(residuals), strict=True):
        r = math.sqrt(v) * z * math.sqrt(ahead / own)
        slow = slow_decay * slow + (1 - slow_decay) * r * r
        fast = fast_decay * fast + (1 - fast_decay) * r * r
        after = min(mixture(long_run, slow, fast), cap)
        x, e, v = x + r, e + move, after
        out.append((x, e))
    return out


def returns_on_clock(hours, closes):
    """Log returns over neighbouring hours, a gap of k hours once, divided by sqrt(k)."""
    pairs = zip(zip(hours, closes, strict=True), zip(hours[1:], closes[1:], strict=True), strict=False)
    return [math.log(b / a) / math.sqrt(h - g) for (g, a), (h, b) in pairs]


def expected_shortfall(losses, level):
    """Acerbi and Tasche: the boundary scenario counts in part."""
    mass, total, need = (1 - level) * len(losses), 0.0, (1 - level) * len(losses)
    for loss in sorted(losses, reverse=True):
        share = min(1.0, need)
        total, need = total + share * loss, need - share
    return total / mass


def trend(closes_by_hour, long_run):
    """Mean over 3, 7, 14, 30 days of tanh(move / deviation), closes at or before each hour."""
    last = max(closes_by_hour)
    total = 0.0
    for days in (3, 7, 14, 30):
        before = [hour for hour in closes_by_hour if hour <= last - 24 * days]
        if before and closes_by_hour[max(before)] > 0:
            move = math.log(closes_by_hour[last] / closes_by_hour[max(before)])
            total += math.tanh(move / math.sqrt(long_run * 24 * days))
    return total / 4


def stressed(dense, weights, quantities):
    """Worst weighted loss of one book over a list, never a gain."""
    return max(0.0, *(-sum(q * dense[i][s] * weights[i][s] for i, q in quantities) for s in range(len(dense[0]))))


def portfolio(parts, whole, weight, floor, added):
    """DESIGN 3.9 for one account: `parts` and `whole` are (bounded ES, weighted stress)."""
    gross = sum(max(*part) for part in parts)
    model = max(*whole)
    return max(model, weight * gross + (1 - weight) * model, floor) + added


def day_blocks(clock, volumes):
    """Volume of each UTC day that has all 24 bars; a bar known at h was traded in the hour before."""
    days: dict[int, list[float]] = {}
    for hour, volume in zip(clock, volumes, strict=True):
        days.setdefault((int(hour) - 1) // 24, []).append(float(volume))
    return [float(np.sum(bars)) for _, bars in sorted(days.items()) if len(bars) == 24]


def expected_variance(season, long_run, slow, fast, cap):
    """What the filter expects over hours of the given factors when each square is what it expects."""
    slow_decay, fast_decay = decays()
    total = 0.0
    for factor in season:
        v = min(mixture(long_run, slow, fast), cap) * factor
        total += v
        slow = slow_decay * slow + (1 - slow_decay) * v
        fast = fast_decay * fast + (1 - fast_decay) * v
    return total


def hour_of_week(hour):
    """The hour that ends at `hour` since the epoch, which was a Thursday; 0 is the first of Monday."""
    start = datetime.fromtimestamp((int(hour) - 1) * 3600, UTC)
    return start.weekday() * 24 + start.hour


def hour_factors(hours, residuals):
    """Mean capped square of each hour of the week over the mean of all, shrunk toward 1 by James and Stein."""
    bins = [[] for _ in range(168)]
    for before, hour, z in zip(hours, hours[1:], residuals, strict=False):
        if hour - before == 1:
            bins[hour_of_week(hour)].append(min(z * z, 16.0))
    level = sum(sum(b) / len(b) for b in bins) / 168
    distance = [sum(b) / len(b) / level - 1.0 for b in bins]
    noise = [sum((x - sum(b) / len(b)) ** 2 for x in b) / (len(b) - 1) / len(b) / level**2 for b in bins]
    kept = max(0.0, 1.0 - 166 * (sum(noise) / 168) / sum(d * d for d in distance))
    return [1.0 + kept * d for d in distance]


def confirmed(first, witness):
    """Which of two sources' shared closes agree, window by window."""
    spread = [math.log(a / b) for a, b in zip(first, witness, strict=True)]

    def window(values, i):
        held = [values[min(max(k, 0), len(values) - 1)] for k in range(i - 84, i + 85)]
        return sorted(held)[84]

    strayed = [abs(d - window(spread, i)) for i, d in enumerate(spread)]
    whole = float(np.median(strayed))
    moves = [0.0, *(abs(math.log(b / a)) for a, b in zip(first, first[1:], strict=False))]
    return [s <= max(3 * 1.4826 * max(window(strayed, i), whole), 0.5 * moves[i]) for i, s in enumerate(strayed)]


def with_sampling_error(figures):
    """Mean of independent replications and Student's 99 % quantile of its standard error; one stands for itself."""
    n = len(figures)
    if n == 1:
        return figures[0]
    mean = math.fsum(figures) / n
    error = math.sqrt(math.fsum((x - mean) ** 2 for x in figures) / (n - 1) / n)
    return mean + {16: 2.60248029501112}[n] * error
