"""Sources of patients: one small interface (source.py) and three implementations (CSV, SQL, FHIR R4).

sync.py reads a source and stores the changes; configuration.py keeps each clinic's choice. No page is known here.
"""
