"""perennial: landing, prediction, serving and orchestration around the dbt project."""
