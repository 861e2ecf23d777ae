#include "tables.h"

#include <stddef.h>

/* Filled lines, as a person would write them. */
/* clang-format off */

/* Spelled as in a customer file of an English-speaking company, so with accents here and there. */

static const char *const english_women[] = {
    "Emma", "Olivia", "Jennifer", "Mary", "Jessica", "Ashley", "Sarah", "Elizabeth", "Emily",
    "Amanda", "Linda", "Patricia", "Susan", "Karen", "Lisa", "Nancy", "Sandra", "Michelle",
    "Laura", "Megan", "Rachel", "Hannah", "Samantha", "Nicole", "Rebecca", "Grace", "Chloe",
    "Sophie", "Charlotte", "Amelia", "Abigail", "Madison", "Brittany", "Heather", "Kimberly",
    "Donna", "Carol", "Ruth", "Sharon", "Deborah", "Stephanie", "Victoria", "Lauren", "Kayla",
    "Destiny", "Imani", "Aaliyah", "Ebony", "Fiona", "Siobhan", NULL};
static const char *const english_men[] = {
    "James", "Michael", "John", "Robert", "David", "William", "Christopher", "Matthew", "Joshua",
    "Daniel", "Joseph", "Thomas", "Charles", "Anthony", "Mark", "Steven", "Andrew", "Kevin",
    "Brian", "Ryan", "Jacob", "Nicholas", "Tyler", "Brandon", "Jason", "Justin", "Eric",
    "Benjamin", "Samuel", "Ethan", "Noah", "Liam", "Oliver", "Jack", "Harry", "George", "Henry",
    "Logan", "Mason", "Dylan", "Kenneth", "Gary", "Timothy", "Scott", "Gregory", "Marcus",
    "Tyrone", "DeShawn", "Sean", "Callum", NULL};
static const char *const english_surnames[] = {
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Davis", "Miller", "Wilson", "Taylor",
    "Anderson", "Thomas", "Jackson", "White", "Harris", "Martin", "Thompson", "Moore", "Young",
    "Allen", "King", "Wright", "Scott", "Hill", "Green", "Adams", "Baker", "Nelson", "Carter",
    "Mitchell", "Roberts", "Turner", "Phillips", "Campbell", "Parker", "Evans", "Edwards",
    "Collins", "Stewart", "Morris", "Murphy", "Cook", "Rogers", "Morgan", "Cooper", "Peterson",
    "Bailey", "Reed", "Kelly", "Howard", "Ward", "Cox", "Richardson", "Wood", "Watson", "Brooks",
    "Bennett", "Gray", "James", "Hughes", "Price", "Myers", "Long", "Foster", "Sanders", "Ross",
    "Powell", "Sullivan", "Russell", "Jenkins", "Perry", "Butler", "Barnes", "Fisher",
    "Henderson", "Coleman", "Simmons", "Patterson", "Jordan", "Reynolds", "Hamilton", "Graham",
    "Wallace", "Cole", "West", "Hayes", "Bryant", "Gibson", "Ellis", "Stevens", "Murray", "Ford",
    "Marshall", "Owens", "McDonald", "Harrison", "Washington", "Kennedy", "Wells", "Henry",
    "O'Brien", "O'Connor", "McCarthy", "Byrne", "Walsh", "Gallagher", "Fraser", "MacLeod",
    "Davies", "Griffiths", "Whitaker", "Hawkins", "Booker", "Freeman", "Fletcher", "Sinclair",
    "Bradshaw", "Lawson", "Holloway", "Thornton", "Ashworth", NULL};

static const char *const spanish_women[] = {
    "María", "Sofía", "Isabella", "Valentina", "Camila", "Lucía", "Gabriela", "Daniela", "Carmen",
    "Ana", "Rosa", "Guadalupe", "Elena", "Paula", "Alejandra", "Mariana", "Ximena", "Pilar", NULL};
static const char *const spanish_men[] = {
    "José", "Juan", "Luis", "Carlos", "Miguel", "Jorge", "Alejandro", "Diego", "Javier",
    "Francisco", "Antonio", "Manuel", "Pedro", "Fernando", "Rafael", "Eduardo", "Santiago",
    "Mateo", NULL};
static const char *const spanish_surnames[] = {
    "Garcia", "Rodriguez", "Martinez", "Hernandez", "Lopez", "Gonzalez", "Perez", "Sanchez",
    "Ramirez", "Torres", "Flores", "Rivera", "Gomez", "Diaz", "Reyes", "Cruz", "Morales", "Ortiz",
    "Gutierrez", "Chavez", "Ramos", "Ruiz", "Mendoza", "Alvarez", "Castillo", "Jimenez",
    "Vasquez", "Romero", "Herrera", "Medina", "Aguilar", "Guzman", "Vargas", "Muñoz", "Delgado",
    "Núñez", "Ibáñez", "Salazar", "Navarro", "Fuentes", NULL};

static const char *const french_women[] = {
    "Camille", "Léa", "Manon", "Chloé", "Juliette", "Sylvie", "Nathalie", "Isabelle", "Amélie",
    "Céline", NULL};
static const char *const french_men[] = {
    "Pierre", "Louis", "Lucas", "Hugo", "Antoine", "Julien", "François", "Mathieu", "Étienne",
    "Nicolas", NULL};
static const char *const french_surnames[] = {
    "Martin", "Bernard", "Dubois", "Durand", "Moreau", "Laurent", "Lefebvre", "Leroy", "Roux",
    "Girard", "Fournier", "Mercier", "Dupont", "Lambert", "Bonnet", "Gauthier", "Tremblay",
    "Gagnon", "Bouchard", "Lévesque", NULL};

static const char *const german_women[] = {
    "Anna", "Lena", "Lea", "Katharina", "Julia", "Sabine", "Petra", "Monika", "Ursula", "Greta",
    NULL};
static const char *const german_men[] = {
    "Lukas", "Felix", "Maximilian", "Jonas", "Stefan", "Andreas", "Jürgen", "Wolfgang", "Klaus",
    "Matthias", NULL};
static const char *const german_surnames[] = {
    "Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz",
    "Hoffmann", "Koch", "Bauer", "Richter", "Klein", "Wolf", "Schröder", "Neumann", "Schwarz",
    "Zimmermann", "Krüger", "Braun", "Hartmann", "Lange", "Vogel", "Keller", NULL};

static const char *const italian_women[] = {
    "Giulia", "Francesca", "Chiara", "Martina", "Alessia", "Federica", "Paola", NULL};
static const char *const italian_men[] = {
    "Marco", "Luca", "Matteo", "Giuseppe", "Lorenzo", "Davide", "Giovanni", NULL};
static const char *const italian_surnames[] = {
    "Rossi", "Russo", "Ferrari", "Esposito", "Bianchi", "Romano", "Colombo", "Ricci", "Marino",
    "Greco", "Bruno", "Gallo", "Conti", "De Luca", "Mancini", "Costa", "Rizzo", "Lombardi",
    "Moretti", "Barbieri", NULL};

static const char *const portuguese_women[] = {
    "Beatriz", "Larissa", "Fernanda", "Juliana", "Letícia", "Mariana", "Inês", NULL};
static const char *const portuguese_men[] = {
    "João", "Gabriel", "Pedro", "Lucas", "Thiago", "Rodrigo", "Gustavo", NULL};
static const char *const portuguese_surnames[] = {
    "Silva", "Santos", "Oliveira", "Souza", "Pereira", "Ferreira", "Almeida", "Carvalho",
    "Ribeiro", "Gonçalves", "Lima", "Araújo", "Barbosa", "Rocha", "Cardoso", "Teixeira",
    "Moreira", "Nascimento", NULL};

static const char *const dutch_women[] = {
    "Sanne", "Lotte", "Femke", "Anouk", "Marieke", "Roos", NULL};
static const char *const dutch_men[] = {"Daan", "Sem", "Bram", "Jeroen", "Willem", "Thijs", NULL};
static const char *const dutch_surnames[] = {
    "de Jong", "Jansen", "de Vries", "van den Berg", "Bakker", "van Dijk", "Visser", "Smit",
    "Meijer", "de Boer", "Mulder", "Bos", "Hendriks", "Dekker", NULL};

static const char *const nordic_women[] = {
    "Astrid", "Ingrid", "Elin", "Maja", "Freja", "Sigrid", "Linnea", NULL};
static const char *const nordic_men[] = {
    "Erik", "Lars", "Oskar", "Anders", "Björn", "Magnus", "Nils", NULL};
static const char *const nordic_surnames[] = {
    "Andersson", "Johansson", "Karlsson", "Nilsson", "Eriksson", "Larsson", "Olsson", "Persson",
    "Svensson", "Gustafsson", "Lindberg", "Lindström", "Berg", "Hansen", "Sjöberg", NULL};

static const char *const polish_women[] = {
    "Agnieszka", "Katarzyna", "Zuzanna", "Magdalena", "Joanna", "Ewa", NULL};
static const char *const polish_men[] = {
    "Piotr", "Krzysztof", "Tomasz", "Jakub", "Paweł", "Michał", NULL};
static const char *const polish_surnames[] = {
    "Nowak", "Kowalski", "Wiśniewski", "Wójcik", "Kowalczyk", "Kamiński", "Lewandowski",
    "Zieliński", "Szymański", "Woźniak", "Dąbrowski", "Mazur", "Krawczyk", "Pawlak", NULL};

static const char *const indian_women[] = {
    "Priya", "Ananya", "Neha", "Pooja", "Aishwarya", "Kavya", "Shreya", "Sunita", "Lakshmi",
    "Meera", "Divya", "Riya", NULL};
static const char *const indian_men[] = {
    "Rahul", "Amit", "Arjun", "Raj", "Vikram", "Rohan", "Sanjay", "Aditya", "Karthik", "Suresh",
    "Deepak", "Aarav", NULL};
static const char *const indian_surnames[] = {
    "Sharma", "Patel", "Singh", "Kumar", "Gupta", "Reddy", "Verma", "Iyer", "Nair", "Mehta",
    "Joshi", "Rao", "Desai", "Shah", "Chopra", "Malhotra", "Banerjee", "Mukherjee", "Chatterjee",
    "Das", "Pillai", "Menon", "Agarwal", "Kapoor", "Bhatt", "Kulkarni", "Mishra", "Pandey", NULL};

static const char *const chinese_women[] = {
    "Mei", "Xiu", "Li Na", "Jing", "Fang", "Yan", "Hui", "Grace", "Vivian", NULL};
static const char *const chinese_men[] = {
    "Wei", "Ming", "Jun", "Hao", "Feng", "Lei", "Jian", "Kevin", "Raymond", NULL};
static const char *const chinese_surnames[] = {
    "Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Huang", "Zhao", "Wu", "Zhou", "Xu", "Sun",
    "Ma", "Lin", "Tan", "Lim", "Wong", "Chan", "Ng", "Ho", NULL};

static const char *const japanese_women[] = {
    "Yuki", "Sakura", "Aoi", "Haruka", "Keiko", "Naomi", "Yui", "Akiko", NULL};
static const char *const japanese_men[] = {
    "Haruto", "Kenji", "Takashi", "Hiroshi", "Daiki", "Ren", "Satoshi", "Yuto", NULL};
static const char *const japanese_surnames[] = {
    "Sato", "Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Nakamura",
    "Kobayashi", "Kato", "Yoshida", "Yamada", "Sasaki", "Matsumoto", "Inoue", "Kimura", "Hayashi",
    "Shimizu", NULL};

static const char *const korean_women[] = {
    "Ji-woo", "Seo-yeon", "Min-ji", "Soo-jin", "Ha-eun", "Eun-ji", NULL};
static const char *const korean_men[] = {
    "Min-jun", "Ji-hoon", "Sung-min", "Hyun-woo", "Jae-won", "Dong-hyun", NULL};
static const char *const korean_surnames[] = {
    "Kim", "Lee", "Park", "Choi", "Jung", "Kang", "Cho", "Yoon", "Jang", "Lim", "Han", "Shin",
    NULL};

static const char *const arabic_women[] = {
    "Fatima", "Aisha", "Maryam", "Layla", "Zainab", "Noor", "Yasmin", "Hana", NULL};
static const char *const arabic_men[] = {
    "Mohammed", "Ahmed", "Ali", "Omar", "Hassan", "Yusuf", "Ibrahim", "Khalid", NULL};
static const char *const arabic_surnames[] = {
    "Khan", "Ahmed", "Ali", "Hussain", "Rahman", "Malik", "Hassan", "Mahmoud", "Al-Farsi",
    "Haddad", "Nasser", "Saleh", "Mansour", "Aziz", "Qureshi", "Siddiqui", NULL};

static const char *const african_women[] = {
    "Chioma", "Amara", "Ngozi", "Adaeze", "Folake", "Thandiwe", "Lerato", "Akua", NULL};
static const char *const african_men[] = {
    "Chinedu", "Emeka", "Tunde", "Oluwaseun", "Kwame", "Sipho", "Thabo", "Kofi", NULL};
static const char *const african_surnames[] = {
    "Okafor", "Adeyemi", "Okonkwo", "Balogun", "Eze", "Nwosu", "Ogunleye", "Mensah", "Osei",
    "Boateng", "Nkosi", "Dlamini", "Ndlovu", "Mokoena", "Zulu", "Botha", "van der Merwe",
    "Naidoo", NULL};

const char *const *const demo_women[CULTURE_COUNT] = {
    english_women, spanish_women, french_women,  german_women,   italian_women, portuguese_women,
    dutch_women,  nordic_women,
    polish_women,  indian_women,  chinese_women, japanese_women, korean_women,  arabic_women,
        african_women};
const char *const *const demo_men[CULTURE_COUNT] = {
    english_men, spanish_men, french_men,  german_men,   italian_men, portuguese_men, dutch_men,
     nordic_men,
    polish_men,  indian_men,  chinese_men, japanese_men, korean_men,  arabic_men,     african_men};
const char *const *const demo_surnames[CULTURE_COUNT] = {
    english_surnames, spanish_surnames,  french_surnames, german_surnames,  italian_surnames,
    portuguese_surnames, dutch_surnames, nordic_surnames, polish_surnames,  indian_surnames,
    chinese_surnames, japanese_surnames, korean_surnames, arabic_surnames,  african_surnames};
