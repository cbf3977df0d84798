"""Datasets: what is stored, how it is built and checked, and the loader that reads it.

records.py is what is stored; datasets/ has one package a dataset; building/ is the framework that
builds each; checks/ looks at what was built; stored_examples.py opens it, and reader.py and
loader.py read it for training.
"""
