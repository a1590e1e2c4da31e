"""Constants of nature in the units used inside: ns, 1/ns, rad/ns, ueV, K."""

HBAR_UEV_NS = 0.6582119569
"""Reduced Planck constant in ueV ns (CODATA 2018): an energy over it is an angular frequency in rad/ns."""
KB_UEV_PER_K = 86.17333262
"""Boltzmann constant in ueV/K (CODATA 2018)."""
HC_UEV_NM = 1.2398419843320026e9
"""Photon energy times wavelength in ueV nm (CODATA 2018)."""
