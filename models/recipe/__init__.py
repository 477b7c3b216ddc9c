"""Recipes for the networks and properties of models/."""
