"""Near-duplicates: vectors propose pairs of sounds, fingerprints decide, and groups show the best
copy first.
"""
