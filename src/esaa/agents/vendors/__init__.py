"""Models behind their vendors' APIs, asked through the official SDKs. An SDK is loaded when its vendor is asked."""
