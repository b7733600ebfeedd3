"""The coordinator's database: tables, named transactions, migrations.

Every function takes the connection of an open transaction and the time as a parameter; `Database` opens them.
"""
