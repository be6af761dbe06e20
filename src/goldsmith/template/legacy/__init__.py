"""Legacy JSON templates: what they say, checked and made into a plan as HCL templates are."""
