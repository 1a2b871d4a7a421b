"""What a conversation, an audience, a message, a tile and a receipt are. Pure: no AWS, no clock, no settings."""
