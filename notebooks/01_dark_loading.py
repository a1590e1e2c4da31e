# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A biexciton loaded through the dark exciton
#
# A dark exciton emits nothing and waits. If the dot absorbs a second pair while it waits, the biexciton forms and two photons follow within
# a tenth of a nanosecond. Under weak continuous light this gives rare pairs and nearly nothing else: a very large $g^{(2)}(0)$, and a long
# dip of $g^{(2)}(\tau)$ afterwards, because an empty dot has to be loaded twice before it can emit again.
#
# This notebook goes through the power series of the dot of the study `baqis_2026`. It calls the study and qdot; all models live there.

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np

from qdot import study

# %matplotlib inline

# %% [markdown]
# ## The experiment
#
# `continuous()` is the shown parameter set of the study under continuous light: *a* set that meets the published numbers, not *the* set.
# Every line below changes it through `replace`, by the dotted name of the parameter.

# %%
dot = study.module("baqis_2026").dot.continuous()
dot.source

# %% [markdown]
# ## g2(tau) at one power
#
# Light of both lines together (`pair` = XX and X), the second photon detected `tau` after the first. The bound on the numerical error is printed with
# the curve and is relative to each value, also where the curve is near zero.

# %%
delays_ns = np.geomspace(1e-3, 1e5, 300)
g2 = dot.g2(delays_ns, "pair", "pair")
print(g2)
ax = g2.plot()
ax.axhline(1.0, color="0.6", lw=0.8, ls=":");

# %% [markdown]
# XX before X and X before XX are different curves: the biexciton's photon comes first, and after an exciton's photon the dot is empty.

# %%
ax = dot.g2(delays_ns, "XX", "X").plot()
ax = dot.g2(delays_ns, "X", "XX").plot(ax)
ax.set_ylabel("g2")
ax.legend();

# %% [markdown]
# ## Power by power
#
# $g^{(2)}(0)$ with an ideal detector, the emitted flux of pair light, and the fraction of photons in pairs, 2 flux(XX) / flux(XX + X).
# A selective dark path gives $g^{(2)}(0)$ falling as 1/power.
# At low power the dark exciton flips or decays before a second pair is absorbed: $g^{(2)}(0)$ levels off
# and the fraction falls.


# %%
def power_series(experiment, powers_uW):
    """g2(0), emitted flux of pair light (1/ns) and pair flux fraction at each power (uW)."""
    runs = [experiment.replace({"drive.power_uW": p}) for p in powers_uW]
    return (
        [run.g2_zero("pair") for run in runs],
        [run.flux_per_ns("pair", stage="emission") for run in runs],
        [run.pair_flux_fraction() for run in runs],
    )


def draw(experiment, powers_uW, shown_uW):
    """g2(tau) at the shown power, and the three observables against power."""
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.4), layout="constrained")
    experiment.replace({"drive.power_uW": shown_uW}).g2(delays_ns, "pair", "pair").plot(axes[0])
    axes[0].set_title(f"{shown_uW:.3g} µW")
    names = ("g2(0)", "flux of pair light (1/ns)", "fraction of photons in pairs")
    for ax, values, name in zip(axes[1:], power_series(experiment, powers_uW), names, strict=True):
        ax.semilogx(powers_uW, values)
        ax.axvline(shown_uW, color="0.6", lw=0.8, ls=":")
        ax.set_xlabel("power (µW)")
        ax.set_ylabel(name)
    axes[1].set_yscale("log")
    axes[2].set_yscale("log")
    return figure


powers_uW = np.geomspace(1e-4, 1e2, 25)
g2_zero, flux_per_ns, pair_fraction = power_series(dot, powers_uW)
print(f"{'power (uW)':>12}  {'g2(0)':>12}  {'flux (1/ns)':>12}  pair flux fraction")
for row in zip(powers_uW, g2_zero, flux_per_ns, pair_fraction, strict=True):
    print("{:12.4g}  {:12.5g}  {:12.4e}  {:.4f}".format(*row))

# %%
draw(dot, powers_uW, shown_uW=dot.drive.power_uW);

# %% [markdown]
# ## With sliders
#
# `selectivity` is the probability that the first absorbed pair becomes dark; `spin flip` is the rate X to D, from which D to X follows by detailed balance;
# `P2/P1` compares the absorption of the second pair with that of the first. The sliders of rates and powers show powers of ten.


# %%
def changed(log_power_uW=-1.2, selectivity=0.97, log_flip_per_ns=-3.3, pump_ratio=1.0):
    """The dot with the sliders' values."""
    changes = {"source.selectivity": selectivity, "source.spin_flip_per_ns": 10.0**log_flip_per_ns, "source.pump_ratio": pump_ratio}
    draw(dot.replace(changes), powers_uW, shown_uW=10.0**log_power_uW)
    plt.show()


changed(selectivity=0.5)

# %%
widgets.interact(
    changed,
    log_power_uW=widgets.FloatSlider(-1.2, min=-4, max=2, step=0.1, description="lg power/µW", continuous_update=False),
    selectivity=widgets.FloatSlider(0.97, min=0.0, max=1.0, step=0.01, description="selectivity", continuous_update=False),
    log_flip_per_ns=widgets.FloatSlider(-3.3, min=-6, max=0, step=0.1, description="lg flip·ns", continuous_update=False),
    pump_ratio=widgets.FloatSlider(1.0, min=0.0, max=5.0, step=0.1, description="P2/P1", continuous_update=False),
);

# %% [markdown]
# ## Light acting back
#
# Rate equations know no light that acts back on the dot. In a micropillar with quantised modes the two photons of a pair share *one mode*, or, for
# comparison, have *separate modes*; the *single exciton* starts alone in the same cavity. One mode brings the second photon nearer to the first, within a
# few 1/kappa, and a detector of 50 ps hides most of that. The study's README says what is bunching, what acceleration, and what a decay trace shows instead.

# %%
back = study.module("baqis_2026").acting_back
delays_ns = np.linspace(0.0, 0.2, 201)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for kind in back.KINDS:
    light = back.timing(kind)
    print(f"{kind:>15}: mean delay {1e3 * light.mean_ns:.1f} ps")
    for ax, jitter_ns in zip(axes, (0.0, 0.05), strict=True):
        ax.plot(1e3 * delays_ns, light.recorded(delays_ns, jitter_ns), label=kind)
        ax.set_xlabel("recorded delay (ps)")
        ax.set_title(f"{1e3 * jitter_ns:.0f} ps per detector")
axes[0].set_ylabel("density (1/ns)")
axes[0].legend();
