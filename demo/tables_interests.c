#include "tables.h"

#include <stddef.h>

/* Filled lines, as a person would write them. */
/* clang-format off */

static const char *const sports[] = {
    "Football", "Basketball", "Soccer", "Tom Brady", "NFL", "NBA", "Baseball", "Tennis",
    "Lionel Messi", "Premier League", "Golf", "Cricket", "LeBron James", "Formula 1",
    "Caitlin Clark", "Running", "Cycling", "Manchester United", "Real Madrid", "Dallas Cowboys",
    "Serena Williams", "Ice Hockey", "UFC", "Virat Kohli", "Volleyball", "Patrick Mahomes",
    "Swimming", "Pickleball", "Shohei Ohtani", "Fantasy Football", "Snowboarding", "Fishing", NULL};
static const char *const technology[] = {
    "Technology", "AI", "Programming", "iPhone", "Gadgets", "ChatGPT", "Python", "Apple",
    "Artificial Intelligence", "Machine Learning", "Android", "Cybersecurity", "Smart Home",
    "Drones", "JavaScript", "3D Printing", "Samsung Galaxy", "Cloud Computing", "Linux",
    "Data Science", "NVIDIA", "Virtual Reality", "Startups", "Kubernetes", NULL};
static const char *const finance[] = {
    "Investing", "Stock Market", "Crypto", "Personal Finance", "Bitcoin", "Banking", "Investment",
    "Real Estate Investing", "Credit Cards", "Retirement Planning", "Warren Buffett",
    "Day Trading", "Ethereum", "401k", "Robinhood", "Mortgage Rates", "Budgeting", "Index Funds",
    "Wall Street", NULL};
static const char *const entertainment[] = {
    "Movies", "Netflix", "Star Wars", "Marvel", "Anime", "Stand Up Comedy", "Stranger Things",
    "Game of Thrones", "The Office", "Podcasts", "Oppenheimer", "Barbie Movie", "Horror Movies",
    "Reality TV", "Tom Hanks", "Zendaya", "The Last of Us", "Disney", "True Crime", "Bollywood",
    "K-Drama", "Broadway", "Harry Potter", "Friends", "Documentaries", NULL};
static const char *const music[] = {
    "Music", "Taylor Swift", "Beyoncé", "Hip Hop", "Rock Music", "Country Music", "Drake",
    "Bad Bunny", "Billie Eilish", "The Beatles", "Concerts", "K-pop", "BTS", "Jazz", "Guitar",
    "Ed Sheeran", "Kendrick Lamar", "Coldplay", "Classical Music", "Olivia Rodrigo",
    "Vinyl Records", "Spotify", "Metallica", "Coachella", "Piano", "Reggaeton", NULL};
static const char *const gaming[] = {
    "Video Games", "Minecraft", "Fortnite", "PlayStation 5", "Xbox", "Nintendo Switch",
    "Call of Duty", "Zelda", "Elden Ring", "Roblox", "League of Legends", "Pokémon",
    "Board Games", "Chess", "GTA V", "Valorant", "Twitch", "Dungeons & Dragons", "Esports",
    "Baldur's Gate 3", "Mario Kart", "Genshin Impact", NULL};
static const char *const fashion[] = {
    "Fashion", "Nike shoes", "Sneakers", "Gucci", "Zara", "Handbags", "Streetwear", "Jewelry",
    "Louis Vuitton", "Dresses", "H&M", "Lululemon", "Vintage Clothing", "Adidas", "Sunglasses",
    "Rolex", "Shein", "Levi's jeans", "Fashion Week", "Ray-Ban", NULL};
static const char *const beauty[] = {
    "Makeup", "Skincare", "Sephora", "Nail Art", "Perfume", "Hair Care", "Fenty Beauty",
    "Lipstick", "Korean Skincare", "CeraVe", "Rare Beauty", "Hairstyles", "Charlotte Tilbury",
    "Sunscreen", "L'Oréal", "Dyson Airwrap", NULL};
static const char *const food[] = {
    "Cooking", "Pizza", "Coffee", "Sushi", "Baking", "Wine", "Starbucks", "Craft Beer", "BBQ",
    "Vegan Recipes", "Tacos", "Gordon Ramsay", "Italian Food", "Ramen", "Cocktails", "Chocolate",
    "Thai Food", "Sourdough", "McDonald's", "Street Food", "Indian Curry", "Air Fryer Recipes",
    "Matcha", "Whiskey", "Ice Cream", NULL};
static const char *const travel[] = {
    "Travel", "Hiking", "Paris", "Beach Vacations", "Camping", "Italy", "Japan Travel", "Cruises",
    "Hawaii", "Road Trips", "Airbnb", "National Parks", "Disney World", "Bali", "Backpacking",
    "London", "Cheap Flights", "New York City", "Safari", "Iceland", "Costa Rica", "Las Vegas",
    "Marriott Bonvoy", NULL};
static const char *const health[] = {
    "Fitness", "Yoga", "Meditation", "Weight Loss", "Gym", "Mental Health", "Nutrition",
    "Keto Diet", "CrossFit", "Pilates", "Vitamins", "Marathon Training", "Mindfulness", "Peloton",
    "Intermittent Fasting", "Strength Training", "Sleep", "Protein Powder", "Ozempic", "Diabetes",
    NULL};
static const char *const automotive[] = {
    "Cars", "Tesla", "Electric Vehicles", "BMW", "Ford Mustang", "Motorcycles", "Toyota",
    "Pickup Trucks", "Classic Cars", "Porsche 911", "Harley Davidson", "Ford F-150",
    "Honda Civic", "Car Detailing", "Jeep Wrangler", "Ferrari", "Off-Roading", "NASCAR",
    "Cybertruck", "Top Gear", NULL};
static const char *const home[] = {
    "Gardening", "Home Decor", "DIY", "Interior Design", "IKEA", "Houseplants",
    "Home Improvement", "Woodworking", "Furniture", "Home Depot", "Landscaping",
    "Vegetable Garden", "Kitchen Remodel", "Succulents", "Fixer Upper", "Knitting", "Power Tools",
    "Roses", NULL};
static const char *const science[] = {
    "Science", "Space", "Astronomy", "NASA", "Physics", "SpaceX", "Climate Change", "Biology",
    "James Webb Telescope", "Dinosaurs", "Neil deGrasse Tyson", "Chemistry", "Mathematics",
    "Genetics", "Black Holes", "Geology", "Renewable Energy", NULL};
static const char *const education[] = {
    "History", "Online Courses", "Language Learning", "Duolingo", "Teaching", "Philosophy",
    "Khan Academy", "Coursera", "College", "TED Talks", "World War II", "Scholarships",
    "Learn Spanish", "MBA", NULL};
static const char *const politics[] = {
    "Politics", "News", "Elections", "Climate Policy", "Human Rights", "Foreign Policy",
    "Supreme Court", "Barack Obama", "Donald Trump", "Brexit", "Immigration", "Democracy",
    "Volunteering for Campaigns", "Joe Biden", NULL};
static const char *const pets[] = {
    "Dogs", "Cats", "Puppies", "Golden Retriever", "Horses", "Dog Training", "Birds", "Aquariums",
    "French Bulldog", "Wildlife", "Kittens", "Animal Rescue", "Labrador", "Bird Watching",
    "Reptiles", "Horseback Riding", "Corgi", NULL};
static const char *const books[] = {
    "Reading", "Books", "Stephen King", "Colleen Hoover", "Fantasy Novels", "Poetry",
    "Audiobooks", "Mystery Books", "Jane Austen", "Book Clubs", "Comic Books", "Manga",
    "Sarah J. Maas", "Brandon Sanderson", "Lord of the Rings", "Creative Writing",
    "Romance Novels", "Kindle", NULL};
static const char *const parenting[] = {
    "Parenting", "Family", "Kids Activities", "LEGO", "Pregnancy", "Toddlers", "Baby Names",
    "Homeschooling", "Bluey", "Family Vacations", "Baby Clothes", "Mom Life", "Genealogy",
    "Wedding Planning", "Strollers", NULL};

/*                                     women      men
 *                                  <35  35+   <35  35+  */
const struct demo_topic demo_topics[] = {
    {"Sports", {9, 8}, {22, 20}, sports},
    {"Technology", {7, 5}, {17, 12}, technology},
    {"Finance", {4, 7}, {10, 13}, finance},
    {"Entertainment", {16, 13}, {13, 10}, entertainment},
    {"Music", {16, 11}, {14, 11}, music},
    {"Gaming", {6, 2}, {20, 6}, gaming},
    {"Fashion", {17, 11}, {7, 3}, fashion},
    {"Beauty", {16, 10}, {2, 1}, beauty},
    {"Food & Drink", {14, 17}, {11, 13}, food},
    {"Travel", {13, 17}, {9, 14}, travel},
    {"Health", {13, 13}, {11, 8}, health},
    {"Automotive", {2, 2}, {9, 12}, automotive},
    {"Home & Garden", {5, 15}, {3, 10}, home},
    {"Science", {4, 4}, {7, 6}, science},
    {"Education", {6, 5}, {4, 4}, education},
    {"Politics", {3, 5}, {4, 8}, politics},
    {"Pets & Animals", {11, 10}, {5, 5}, pets},
    {"Books & Literature", {9, 11}, {4, 5}, books},
    {"Parenting & Family", {8, 12}, {2, 4}, parenting},
};
const uint32_t demo_topic_count = sizeof demo_topics / sizeof demo_topics[0];

const char *const demo_non_interests[] = {"n/a", "none", "idk", "asdf", "other", "nothing", "stuff",
    "test", "everything", "-", NULL};
