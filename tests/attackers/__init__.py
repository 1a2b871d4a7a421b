"""Attackers: whoever is not meant to, tries. Nobody sees or changes what is not theirs, whatever they say."""
