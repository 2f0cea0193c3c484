"""Tests that look at the dialogs in a real Chromium."""
