r"""Heartbeats of an electrocardiogram: where they are, and each cut out of its leads.

R-peaks are found as by Pan & Tompkins (1985): a band of 5 to 15 Hz, which holds the QRS complex and
neither the baseline nor muscle; its slope, squared, and averaged over 0.15 s; and peaks of that, by
`scipy.signal`, at least 0.25 s apart and a quarter as high as the usual ones. The peak itself is
where the band is farthest from nought nearby.

A beat is a window of `SPAN` usual intervals around its R-peak, `BEFORE` of it before: it begins
shortly after the beat before, at the usual rhythm, so that a beat which comes too early shows both.
Those that the record does not hold whole are left out.

Source: Pan & Tompkins 1985, A real-time QRS detection algorithm, IEEE Transactions on Biomedical
Engineering 32(3). Their thresholds adapt as the signal comes; here the whole record is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

BAND = (5.0, 15.0)
"""Hz."""
AVERAGED, APART, NEAR = 0.15, 0.25, 0.1
"""Seconds: the width of the average, the least time between beats, where the peak may be."""
SHARE = 0.25
"""Of the height of usual peaks, which are the highest of each two seconds, that a peak has."""
USUAL = 2.0
SPAN = 1.4
"""Usual intervals from beat to beat that a window has, where none is asked for."""
BEFORE = 0.6
"""The share of a window that is before the R-peak."""


def r_peaks(lead: Array, hertz: float) -> Integers:
    """The samples of a lead (L,) at which beats are; a gap is taken as flat."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import butter, find_peaks, sosfiltfilt

    known = np.nan_to_num(lead, nan=float(np.nanmedian(lead)) if len(lead) else 0.0)
    if len(known) < USUAL * hertz:
        return np.zeros(0, np.int64)
    high = min(BAND[1], 0.45 * hertz)
    band = sosfiltfilt(butter(2, (BAND[0], high), "bandpass", fs=hertz, output="sos"), known)
    energy = uniform_filter1d(np.gradient(band) ** 2, max(1, round(AVERAGED * hertz)))
    step = round(USUAL * hertz)
    usual = np.median([energy[i : i + step].max() for i in range(0, len(energy), step)])
    found, _ = find_peaks(energy, height=SHARE * usual, distance=max(1, round(APART * hertz)))
    near = max(1, round(NEAR * hertz))
    return np.unique([top(np.abs(band), peak, near) for peak in found.tolist()]).astype(np.int64)


def top(size: Array, near: int, reach: int) -> int:
    """Where a signal is largest within reach of a sample."""
    begin = max(0, near - reach)
    return begin + int(size[begin : near + reach + 1].argmax())


def cut(samples: Array, peaks: Integers, length: int) -> tuple[Array, NDArray[np.bool_]]:
    """Beats (B, T, C) of samples (L, C), and which peaks they are of.

    >>> beats, whole = cut(np.arange(20.0)[:, None], np.array([1, 10]), 5)
    >>> beats[:, :, 0].tolist(), whole.tolist()
    ([[7.0, 8.0, 9.0, 10.0, 11.0]], [False, True])
    """
    first = peaks - round(BEFORE * length)
    whole = (first >= 0) & (first + length <= len(samples))
    return samples[first[whole, None] + np.arange(length)], whole
