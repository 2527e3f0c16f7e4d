"""What stands between memplug and input that means harm: text, images, files, URLs. Knows values, nothing higher."""
