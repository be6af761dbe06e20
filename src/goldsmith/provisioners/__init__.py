"""Provisioners: the steps that change a machine, one file for each; they are found by their names in templates."""
