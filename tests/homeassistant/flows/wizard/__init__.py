"""Tests of the wizard, from the first page to the entity."""
