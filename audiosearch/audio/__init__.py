"""From files to windows: decoding, one channel, one rate, exact lengths; and embedded metadata."""
