"""Customer lifetime value: models of orders, value and renewals, their tables, scoring.

Nothing here reads the warehouse or knows dbt or Dagster: arrays and Arrow in and out.
"""
