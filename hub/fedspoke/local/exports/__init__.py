"""Exports of people who do not exist, in the form in which the platforms deliver those of people who do.

posted.py is what a person posted, imagine.py makes some up of words.yaml, facebook.py and instagram.py (by forms.py) give it a
platform's form of a year, file by file (file.py), darkroom.py develops the photos, store.py writes a folder or zips.
"""
