"""Demo data: raw files of every channel from one planted population, and the truth beside them."""

from orchestration.demo.generate import DemoSummary, demo_key, generate

__all__ = ["DemoSummary", "demo_key", "generate"]
