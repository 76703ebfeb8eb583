"""Measurements and the figures that README takes from them."""
