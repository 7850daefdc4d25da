"""Customer lifetime value: models of orders, value and renewals, their parameters as tables, scoring.

Nothing here reads the warehouse or knows dbt or Dagster: arrays and Arrow in, arrays and Arrow out.
"""
