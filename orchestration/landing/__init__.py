"""Landing: raw channel files in, text-typed Parquet, ledger, quarantine and vault out.

Every record is accounted for: raw = landed + quarantined, per file. Identifiers and direct personal
data are replaced by tokens here and nowhere else.
"""

from orchestration.landing.refusal import RefusedFile
from orchestration.landing.run import LandingResult, land

__all__ = ["LandingResult", "RefusedFile", "land"]
