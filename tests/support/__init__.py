"""What tests share: builders, a fake clock, scripted programs, and a world that only decides."""
