"""Policy files, their contracts, and running them step by step."""
