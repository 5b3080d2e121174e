"""Places that store bytes, with rights and credentials to reach them: folders, SFTP, object stores.

Any room above may import it.
"""
