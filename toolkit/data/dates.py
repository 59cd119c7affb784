"""The embedded pairs: dates as people write them, and in ISO 8601."""

from __future__ import annotations

import datetime

import numpy as np

from toolkit.whole_numbers import check_whole

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
DAYS_IN_ALL = (LAST - FIRST).days + 1
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
)  # fmt: skip
DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    "Sunday",
)  # fmt: skip
FORMATS = (
    "{d} {month} {year}",
    "{d} {mon} {year}",
    "{day}, {d} {month} {year}",
    "{nth} {month} {year}",
    "{nth} of {month}, {year}",
    "the {nth} of {month} {year}",
    "{day}, the {nth} of {month} {year}",
    "{month} {d}, {year}",
    "{month} {nth}, {year}",
    "{mon} {d}, {year}",
    "{mon} {d} {year}",
    "{day}, {month} {nth}, {year}",
    "{weekday} {d} {mon} {year}",
    "{weekday}, {mon} {d}, {year}",
    "{year} {month} {d}",
    "{year}, {mon} {nth}",
    "{d}-{mon}-{year}",
    "{d}.{m}.{year}",
    "{dd}.{mm}.{year}",
    "{m}/{d}/{year}",
    "{mm}/{dd}/{year}",
    "{year}-{mm}-{dd}",
    "{year}/{mm}/{dd}",
    "{year}{mm}{dd}",
)
SHORT_FORMATS = (  # for years that two digits tell
    "{dd}.{mm}.{yy}",
    "{d}.{m}.{yy}",
    "{m}/{d}/{yy}",
    "{mm}/{dd}/{yy}",
    "{d} {mon} {yy}",
    "{d}-{mon}-{yy}",
    "{weekday} {d} {mon} {yy}",
    "{month} {d}, '{yy}",
    "{month} '{yy}, the {nth}",
)
PIVOT = 1969, 2068  # as POSIX has it: 69 is 1969, 68 is 2068
CASES = (str, str, str, str.lower, str.upper)


def date_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Returns dates written by people's habits, each with its ISO form.

    The dates are those of 1900 to 2099, drawn with replacement, in 33 formats
    and in capitals, lower case or both. No text stands for two dates: dots
    mean day first ("3.5.1998" is the third of May), slashes month first
    ("5/3/1998" too), unless a slash follows the year; two digits of a year
    mean 1969 to 2068. Weekdays are right.

    More pairs begin with the same ones.

    Args:
        count: how many pairs.
        seed: of the draw, at least 0.

    Raises:
        ConfigError: a number out of range.

    Example:
    >>> from toolkit.data.dates import date_pairs
    >>> for human, iso in date_pairs(3, seed=1):
    ...     print(human, "->", iso)
    May 14, '02 -> 2002-05-14
    September 23, 2089 -> 2089-09-23
    Thu, Jul 16, 2065 -> 2065-07-16
    """
    check_whole("count", count, 1)
    check_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    pairs = []
    for day, form, case in rng.random((count, 3)).tolist():
        date = FIRST + datetime.timedelta(int(day * DAYS_IN_ALL))
        options = formats(date)
        text = write_date(date, options[int(form * len(options))])
        pairs.append((CASES[int(case * len(CASES))](text), date.isoformat()))
    return pairs


def formats(date: datetime.date) -> tuple[str, ...]:
    """Returns the formats that a date can have."""
    short = PIVOT[0] <= date.year <= PIVOT[1]
    return FORMATS + SHORT_FORMATS if short else FORMATS


def write_date(date: datetime.date, form: str) -> str:
    """Returns a date in a format of `FORMATS` or `SHORT_FORMATS`."""
    month, day = MONTHS[date.month - 1], DAYS[date.weekday()]
    last = 0 if date.day in (11, 12, 13) else date.day % 10
    ending = {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
    return form.format(
        d=date.day,
        dd=f"{date.day:02d}",
        nth=f"{date.day}{ending}",
        m=date.month,
        mm=f"{date.month:02d}",
        month=month,
        mon=month[:3],
        year=date.year,
        yy=f"{date.year % 100:02d}",
        day=day,
        weekday=day[:3],
    )
