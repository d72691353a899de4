"""Calibration + market -> ordered sets of joint factor moves with a content hash."""
