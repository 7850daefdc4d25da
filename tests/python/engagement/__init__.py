"""Activity, cohorts, funnels and daily numbers against counting by hand, and on the edges of days."""
