mod stories;
mod worlds;
