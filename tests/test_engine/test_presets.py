"""Presets are the measures of their sources, and the charge and its bound follow the measure."""

from __future__ import annotations

import numpy as np
import pytest

from engine import CalibrationSettings, InvalidInput, ModelConfiguration, calibrate, evaluate
from engine.presets import PRESETS, with_preset
from engine.rules.regulation import FACTS
from tests import model_cases

pytestmark = pytest.mark.fast


def test_levels_are_those_of_the_rules():
    levels = {name: (preset.measure, preset.level) for name, preset in PRESETS.items()}
    confidence = FACTS["emir_24_confidence"]
    assert levels["occ"] == ("expected_shortfall", FACTS["occ_stans"]["level"])
    assert levels["emir"] == ("value_at_risk", confidence["other"])
    assert levels["emir_otc"] == ("value_at_risk", confidence["otc"])
    assert levels["emir"][1] == FACTS["pfmi_6"]["single_tailed_confidence"]


def test_both_records_take_a_preset_and_nothing_else_changes():
    settings = with_preset(CalibrationSettings(replicates=30), "emir_otc")
    model = with_preset(ModelConfiguration(trend_addon=False), "emir_otc")
    assert (settings.measure, settings.es_level, settings.replicates) == ("value_at_risk", 0.995, 30)
    assert (model.measure, model.es_level, model.trend_addon) == ("value_at_risk", 0.995, False)
    with pytest.raises(InvalidInput, match="preset lch"):
        with_preset(settings, "lch")


def test_margins_and_bounds_follow_the_measure():
    state = model_cases.market()
    listed, nobody = model_cases.catalogue(state), model_cases.book()
    point, estimate = {}, {}
    for name in PRESETS:
        settings = with_preset(model_cases.SMALL, name)
        calibration = calibrate([model_cases.history("BTC", 1), model_cases.history("ETH", 2)], [], settings)
        model = with_preset(ModelConfiguration(trend_addon=False), name)
        recent = model_cases.no_recent("BTC", "ETH")
        markets = evaluate(calibration, recent, state, listed, nobody, model).markets
        point[name] = markets.initial_long_point
        estimate[name] = np.array([bound.point for bound in calibration.bounds])
        assert (calibration.kappa_coverage is None) == (name != "occ")
    for figure in (point, estimate):
        assert np.all(figure["emir"] <= figure["emir_otc"]) and np.all(figure["emir_otc"] <= 1.2 * figure["occ"])
        assert np.all(figure["basel"] <= figure["occ"]) and np.all(figure["emir"] <= figure["occ"])
        assert np.any(figure["emir"] < 0.95 * figure["occ"])
