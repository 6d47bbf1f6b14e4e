"""SmartQueue alone: at scale, under load, under fire."""
