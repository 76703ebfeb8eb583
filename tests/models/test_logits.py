"""Logits and probabilities against SciPy's."""

import numpy as np
from scipy import special

from aiface.models.logits import expit, logit


def test_as_scipy_has_them():
    x = np.concatenate((np.linspace(-30, 30, 1001), (-1e6, -745.0, 745.0, 1e6)))
    np.testing.assert_allclose(expit(x), special.expit(x), rtol=1e-6, atol=1e-15)
    p = special.expit(np.linspace(-15, 15, 1001))
    np.testing.assert_allclose(logit(p), special.logit(p), rtol=1e-9)


def test_they_undo_each_other():
    np.testing.assert_allclose(logit(expit(np.linspace(-15, 15, 101))), np.linspace(-15, 15, 101), atol=1e-8)
