"""What operators send to the study: packages of monthly counts, made, signed, verified and loaded."""
