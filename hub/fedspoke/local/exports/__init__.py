"""Exports of people who do not exist, in the form in which the platforms deliver those of people who do.

posted.py is what a person posted, imagine.py makes some up, facebook.py and instagram.py give it the platforms' form of a year,
darkroom.py develops the photos, store.py writes the files into a folder or a zip.
"""
