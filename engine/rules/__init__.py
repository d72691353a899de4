"""Margin rules of other venues and of regulation as published, one file each, to compare with and to be checked by."""
