"""Tests of the dialogs, walked as a person walks them."""
