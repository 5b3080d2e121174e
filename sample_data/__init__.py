"""The sample study: operators' logs in their real formats, and the generator that writes them."""
