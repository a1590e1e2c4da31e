# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A measured power series, from coincidence counts to the parameters of a dot
#
# One InGaAs/GaAs dot under 80 MHz pulses, coincidence histograms at eight settings from 1.2 to 30 µW (UTS-CASLab, 2023). With power $g^{(2)}(0)$ rises
# from 0.22 to 0.68 and the peaks decay more slowly. The study `sps_quality_2023` explains both with a reservoir: a pulse leaves pairs there, and the
# dot captures them one by one, also after it has emitted a photon.
#
# The histograms are read where they are found (the folder `shared` beside the repository, or the one that `QDOT_SHARED` names). Without them the notebook
# goes on from the study's own table of points. All models live in qdot and in the study.

# %%
import matplotlib.pyplot as plt
import numpy as np

from qdot import study

# %matplotlib inline
sps = study.module("sps_quality_2023")

# %% [markdown]
# ## From histograms to points
#
# One Poisson likelihood for all histograms: two-sided exponential peaks, integrated over the bins, on a constant background, with one zero delay
# (a cable) for all settings. The errors are those at which the deviance rises by 1.

# %%
settings, measured = sps.measurements()
if settings:
    print(f"{len(settings)} settings found, zero delay {measured.zero_delay_ns:.4f} +- {measured.zero_delay_error_ns:.4f} ns")
else:
    print("no histograms found: using the study's table of points")
print(f"{'setting':>16}  {'power (uW)':>10}  {'g2(0)':>24}  {'peak decay (ns)':>22}")
for row in zip(
    measured.names,
    measured.power_uW,
    measured.g2_zero,
    measured.g2_minus,
    measured.g2_plus,
    measured.decay_ns,
    measured.decay_minus_ns,
    measured.decay_plus_ns,
    strict=True,
):
    print("{:>16}  {:10.3g}  {:8.4f} -{:.4f} +{:.4f}  {:8.4f} -{:.4f} +{:.4f}".format(*row))

# %%
if settings:
    shown = settings[0]
    figure, ax = plt.subplots(figsize=(10, 2.6), layout="constrained")
    ax.step(shown.histogram.left_ns, shown.histogram.counts, where="post", lw=0.7)
    ax.axvline(measured.zero_delay_ns, color="C1", lw=0.8, ls=":", label="zero delay")
    ax.set_xlabel("delay (ns)")
    ax.set_ylabel(f"coincidences per {shown.histogram.bin_width_ns:.3g} ns")
    ax.set_title(f"{shown.power_uW:g} µW, {len(shown.files)} files added")
    ax.set_xlim(0, 150)
    ax.legend(loc="upper right")

# %% [markdown]
# ## The joint fit
#
# `ReservoirDot` has to describe $g^{(2)}(0)$ and the decay of the peaks at all powers at once: 16 points, five parameters. What it predicts goes through the
# same analysis as the data: its coincidence peaks are described by exponentials on the measured background, in the measured bins. Intervals are profile
# likelihoods; a parameter that the data bound on one side only gets a limit.

# %%
result = sps.joint_fit(measured)
print(result)

# %% [markdown]
# Data, fit and residuals in units of the standard errors.

# %%
result.plot();

# %% [markdown]
# The fitted dot between the settings, read off on the median background of the measurements; at its own background a setting can lie a little beside the line.

# %%
powers_uW = np.geomspace(1.0, 32.0, 24)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, term, line, name in zip(axes, result.terms, sps.curve(result, measured, powers_uW), ("g2(0)", "decay time of the peaks (ns)"), strict=True):
    ax.errorbar(term.x, term.value, yerr=[term.minus, term.plus], fmt="o", capsize=2, label="measured")
    ax.semilogx(powers_uW, line, label="fitted ReservoirDot")
    ax.set_xlabel("power (µW)")
    ax.set_ylabel(name)
    ax.legend()

# %% [markdown]
# ## What the data do not say
#
# Another reading holds the biexciton lifetime at 0.5 ns and lets the second capture be slower than the first: `sps.joint_fit(measured, alternative=True)`,
# about a minute. It has as many parameters and describes the data as well, with other values (README of the study). Where two readings describe the data
# equally, their parameters belong to the reading, not to the dot.
