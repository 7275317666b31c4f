"""Run the whole service on one machine: its processes, their data folder, and the demo rows."""
