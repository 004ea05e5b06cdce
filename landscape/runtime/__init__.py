"""What every program needs: settings and flags, devices, processes, progress, user files."""
