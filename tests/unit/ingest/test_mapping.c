/* Tries every transform at its edges, mappings that say something we do not understand (a typo must
 * not be silent), and the mappings in docs/examples/ on rows of the shape of their files. */
#include "support.h"

/* One row, as a table with its header, through a mapping: the record as text, or the error's
 * code. */
static void map_row(struct reading *r, const char *mapping_json, const char *header,
                    const char *row)
{
    struct mapping *mapping = NULL;
    struct csv_header *parsed = NULL;
    struct error error = {0};
    if (mapping_parse(slice_from_cstr(mapping_json), &mapping, &error) != ERR_OK) {
        snprintf(r->text, sizeof r->text, "%s", error.code);
        return;
    }
    if (csv_header_parse(slice_from_cstr(header), &parsed, &error) != ERR_OK) {
        snprintf(r->text, sizeof r->text, "%s", error.code);
    } else {
        const struct record_form form = {FORMAT_CSV, ETL_RULES_VERSION, parsed, mapping};
        reading_read(r, slice_from_cstr(row), &form);
    }
    csv_header_destroy(parsed);
    mapping_destroy(mapping);
}

struct sample {
    const char *steps; /* of {"from": "x", "transforms": STEPS} */
    const char *field;
    const char *cell;
    const char *wanted; /* behind "cookie=c" */
};

static void test_transforms(void)
{
    static const struct sample samples[] = {
        {"[]", "a", "7", " a=7"},
        {"[\"text\"]", "a", "7", " a='7'"},
        {"[]", "a", "007", " a='007'"},
        {"[]", "a", "1.50", " a=1.5"},
        {"[]", "a", "TRUE", " a=true"},
        {"[]", "a", "", ""},
        {"[\"trim\",\"lower\"]", "a", "  X  Y ", " a='x y'"},
        {"[\"upper\"]", "a",
         "\xC3\xA9"
         "a",
         " a='\xC3\x89"
         "A'"},
        {"[\"title\"]", "a", "jean-luc o'NEIL du pont", " a='Jean-Luc O'Neil Du Pont'"},
        {"[{\"split\":\"/\"}]", "interests", "a/ b//A", " +a +b"},
        {"[{\"split\":\", \"}]", "tags", "a, b", " tags+a tags+b"},
        {"[{\"split\":\"/\"},{\"prefix\":\"p-\"}]", "email", "a@x.org/b@x.org", "!"},
        {"[{\"date\":\"%d.%m.%Y\"}]", "birth_date", "3.4.1980", " birth_date='1980-04-03'"},
        {"[{\"date\":[\"%Y%m%d\",\"%d/%m/%Y\"]}]", "birth_date", "03/04/1980",
         " birth_date='1980-04-03'"},
        {"[{\"date\":\"%d.%m.%Y\"}]", "birth_date", "31.2.1980", " !date_invalid"},
        {"[{\"date\":\"%d/%m/%Y %H:%M\"}]", "timestamp", "01/05/2024 12:30", " @1714566600000000"},
        {"[{\"date\":\"%d/%m/%Y %H:%M %z\"}]", "timestamp", "01/05/2024 12:30 +0200",
         " @1714559400000000"},
        {"[{\"number\":{\"decimal\":\",\",\"thousands\":\".\"}}]", "income", "1.234,50",
         " income=1234.5"},
        {"[{\"number\":{\"thousands\":\",\"}}]", "a", "-1,234,567", " a=-1234567"},
        {"[\"number\"]", "a", "12 apples", " !number_invalid"},
        {"[\"number\"]", "a", "0012", " a=12"},
        {"[\"number\"]", "a", "1e3", " a=1000"},
        {"[{\"lookup\":{\"m\":\"Male\",\"f\":\"Female\"},\"otherwise\":\"drop\"}]", "gender", "M ",
         " gender='Male'"},
        {"[{\"lookup\":{\"1\":\"Male\"},\"otherwise\":\"drop\"}]", "gender", "2", ""},
        {"[{\"lookup\":{\"1\":\"Male\"},\"otherwise\":\"keep\"}]", "gender", "female",
         " gender='Female'"},
        {"[{\"lookup\":{\"1\":\"Male\"},\"otherwise\":\"drop\"},{\"default\":\"Unknown\"}]",
         "gender", "2", " gender='Unknown'"},
        {"[{\"default\":\"none\"}]", "a", "  ", " a='none'"},
        {"[{\"prefix\":\"p-\"},{\"suffix\":\"-s\"}]", "a", " 7 ", " a='p-7-s'"},
        {"[{\"prefix\":\"p-\"}]", "a", "  ", ""},
        {"[{\"replace\":[\"-\",\"\"]},{\"replace\":[\"x\",\"yx\"]},\"text\"]", "a", "1-2-x",
         " a='12yx'"},
        {"[{\"phone_country\":\"GB\"}]", "phone", "020 7031 3000", "!"},
    };
    static struct reading r;
    reading_begin(&r, "{}");
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        char mapping[1024];
        char row[256];
        char wanted[256];
        snprintf(mapping, sizeof mapping,
                 "{\"fields\":{\"cookie\":\"c\",\"%s\":{\"from\":\"x\",\"transforms\":%s}}}",
                 samples[i].field, samples[i].steps);
        snprintf(row, sizeof row, "c,\"%s\"", samples[i].cell);
        snprintf(wanted, sizeof wanted, "cookie=c%s", samples[i].wanted);
        map_row(&r, mapping, ",c,x", row);
        if (samples[i].wanted[0] != '!') {
            EXPECT(strcmp(r.text, wanted) == 0, ": %s on '%s'\n   got    %s\n   wanted %s",
                   samples[i].steps, samples[i].cell, r.text, wanted);
        }
    }
    map_row(&r,
            "{\"fields\":{\"phone\":{\"from\":\"x\",\"transforms\":[{\"phone_country\":\"GB\"}]}}}",
            ",x", "020 7031 3000");
    EXPECT_TEXT(r.text, "phone=+442070313000");
    map_row(&r, "{\"fields\":{\"email\":{\"from\":\"x\",\"transforms\":[{\"split\":\"/\"}]}}}",
            ",x", "a@x.org/b@x.org");
    EXPECT_TEXT(r.text, "email=a@x.org email=b@x.org");
    reading_end(&r);
}

static void test_sources_and_rest(void)
{
    static struct reading r;
    reading_begin(&r, "{\"identifiers\":[{\"type\":\"loyalty_id\"}]}");
    const char *header = ",id,no,street,extra,left";
    const char *concat =
        "{\"fields\":{\"user_id\":\"id\",\"street\":{\"concat\":[\"no\",\" \",\"street\",\", \",\"extra\"]}},\"rest\":\"drop\"}";
    map_row(&r, concat, header, "7,12,Main St,Apt 2,x");
    EXPECT_TEXT(r.text, "user_id=7 street='12 Main St, Apt 2'");
    map_row(&r, concat, header, "7,,Main St,,x");
    EXPECT_TEXT(r.text, "user_id=7 street='Main St'");
    map_row(&r, concat, header, "7,12,,Apt 2,x");
    EXPECT_TEXT(r.text, "user_id=7 street='12, Apt 2'");
    map_row(&r, concat, header, "7,,,,x");
    EXPECT_TEXT(r.text, "user_id=7");
    map_row(
        &r,
        "{\"fields\":{\"user_id\":\"id\",\"country\":{\"constant\":\"us\"}},\"ignore\":[\"no\",\"street\"]}",
        header, "7,1,2,3,4");
    EXPECT_TEXT(r.text, "user_id=7 country='USA' extra=3 left=4");
    map_row(
        &r,
        "{\"fields\":{\"loyalty_id\":\"id\",\"phone\":[\"no\",{\"from\":\"street\"}]},\"rest\":\"drop\"}",
        header, "7,650 253 0000,6502530001,,");
    EXPECT_TEXT(r.text, "loyalty_id=7 phone=+16502530000 phone=+16502530001");
    map_row(&r, "{\"fields\":{\"user_id\":\"ID\",\"a\":\"nowhere\"},\"rest\":\"drop\"}", header,
            "7,1,2,3,4");
    EXPECT_TEXT(r.text, "user_id=7");
    map_row(
        &r,
        "{\"fields\":{\"s\":{\"concat\":[{\"text\":\"No \"},{\"column\":\"no\"}]},\"user_id\":\"id\"},\"rest\":\"drop\"}",
        header, "7,1,2,3,4");
    EXPECT_TEXT(r.text, "user_id=7 s='No 1'");
    reading_end(&r);
}

static void test_json_through_a_mapping(void)
{
    static struct reading r;
    reading_begin(&r, "{}");
    struct mapping *mapping = NULL;
    struct error error;
    REQUIRE(
        mapping_parse(
            SLICE_LITERAL(
                "{\"fields\":{\"user_id\":\"ident\",\"first_name\":\"vorname\"},\"ignore\":[\"x\"]}"),
            &mapping, &error) == ERR_OK);
    const struct record_form form = {FORMAT_JSON, ETL_RULES_VERSION, NULL, mapping};
    reading_read(
        &r,
        SLICE_LITERAL(
            "{\"ident\":12,\"vorname\":\"Eva\",\"x\":1,\"email\":\"no identifier here\",\"o\":{\"p\":[1,2]}}"),
        &form);
    EXPECT_TEXT(r.text, "user_id=12 first_name='Eva' email='no identifier here' o.p+1 o.p+2");
    reading_read(&r, SLICE_LITERAL("{\"ident\":12,\"ident\":13}"), &form);
    EXPECT_TEXT(r.text, "duplicate_key:ident");
    reading_read(&r, SLICE_LITERAL("{\"ident\":null,\"vorname\":\"Eva\"}"), &form);
    EXPECT_TEXT(r.text, "identifier_missing");
    mapping_destroy(mapping);
    reading_end(&r);
}

static const struct {
    const char *json, *code;
} mistakes[] = {
    {"", "mapping_syntax"},
    {"[]", "mapping_syntax"},
    {"{\"fields\":{}}", "mapping_field"},
    {"{\"name\":\"x\"}", "mapping_field"},
    {"{\"feilds\":{}}", "mapping_unknown_key"},
    {"{\"fields\":{\"a\":\"x\",\"a\":\"y\"}}", "mapping_duplicate_key"},
    {"{\"fields\":{\"a\":1}}", "mapping_source"},
    {"{\"fields\":{\"a\":{}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"constant\":\"y\"}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"form\":\"x\"}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"from\":\"\"}}}", "mapping_column"},
    {"{\"fields\":{\"\":\"x\"}}", "mapping_field"},
    {"{\"fields\":{\"demographics\":\"x\"}}", "mapping_field"},
    {"{\"fields\":{\"a\":{\"concat\":[]}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"concat\":[{\"x\":\"y\"}]}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[\"trimm\"]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":\"trim\"}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[7]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{}]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"split\":\"\"}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"split\":\";\",\"prefix\":\"x\"}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"date\":\"%Q\"}]}}}",
     "mapping_date_format"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"date\":[]}]}}}", "mapping_date_format"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"number\":{\"decimal\":\",,\"}}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"lookup\":{\"a\":1}}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"lookup\":{},\"otherwise\":\"die\"}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"phone_country\":\"UK\"}]}}}",
     "mapping_country"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"replace\":[\"a\"]}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":\"x\"},\"delimiter\":\":\"}", "mapping_delimiter"},
    {"{\"fields\":{\"a\":\"x\"},\"rest\":\"keep\"}", "mapping_rest"},
    {"{\"fields\":{\"a\":\"x\"},\"ignore\":\"b\"}", "mapping_ignore"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"number\":7}]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"number\":{\"decimal\":7}}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"number\":{\"decimal\":\"3\"}}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"number\":{\"comma\":\",\"}}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"lookup\":7}]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"lookup\":{},\"otherwise\":7}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"split\":7}]}}}", "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"splt\":\";\"}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"replace\":[\"\",\"b\"]}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"replace\":[7,\"b\"]}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"replace\":[\"a\",7]}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"replace\":\"a\"}]}}}",
     "mapping_transform"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"date\":7}]}}}", "mapping_date_format"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"date\":\"%s %Y\"}]}}}",
     "mapping_date_format"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"date\":[\"%Y\",7]}]}}}",
     "mapping_date_format"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"phone_country\":7}]}}}",
     "mapping_country"},
    {"{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[{\"phone_country\":\"ZZ\"}]}}}",
     "mapping_country"},
    {"{\"fields\":{\"a\":{\"from\":7}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"concat\":7}}}", "mapping_source"},
    {"{\"fields\":{\"a\":{\"concat\":[{\"text\":\"y\",\"column\":\"z\"}]}}}", "mapping_source"},
    {"{\"fields\":{\"a\":\"x\"},\"ignore\":[7]}", "mapping_ignore"},
    {"{\"fields\":{\"a\":\"x\"},\"delimiter\":7}", "mapping_delimiter"},
    {"{\"fields\":{\"a\":\"x\"},\"delimiter\":\";;\"}", "mapping_delimiter"},
    {"{\"fields\":{\"a\":\"x\"},\"rest\":7}", "mapping_rest"},
};

static void test_mistakes(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(mistakes); i++) {
        struct mapping *mapping = NULL;
        struct error error = {0};
        err e = mapping_parse(slice_from_cstr(mistakes[i].json), &mapping, &error);
        EXPECT(e == ERR_INVALID && strcmp(error.code, mistakes[i].code) == 0,
               ": %s gave %d %s, wanted %s", mistakes[i].json, (int)e, error.code,
               mistakes[i].code);
        mapping_destroy(mapping);
    }
}

static void test_a_mistake_says_where(void)
{
    struct mapping *mapping = NULL;
    struct error error = {0};
    EXPECT(mapping_parse(
               SLICE_LITERAL("{\"fields\":{\"a\":{\"from\":\"x\",\"transforms\":[\"trimm\"]}}}"),
               &mapping, &error) == ERR_INVALID);
    EXPECT(strstr(error.message, "\"a\"") != NULL && strstr(error.message, "trimm") != NULL &&
               error.position == 42,
           ": %s at %llu", error.message, (unsigned long long)error.position);
}

/* ---- docs/examples ---- */

static char *example(const char *name)
{
    const char *source = getenv("KINDRED_SOURCE_DIR");
    char path[1024];
    snprintf(path, sizeof path, "%s/docs/examples/%s", source != NULL ? source : ".", name);
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (file != NULL && text != NULL) {
        text[fread(text, 1, 65535, file)] = '\0';
        fclose(file);
    }
    EXPECT(text != NULL && text[0] != '\0', ": cannot read %s", path);
    return text;
}

static void test_examples(void)
{
    static const struct {
        const char *file, *header, *row, *wanted;
    } cases[] = {
        {"febrl.json",
         ",rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id",
         "rec-1-org, anna, o'neil, 6, example street, , st example, 0401, wa, 19081209, 1234567",
         "user_id=ssid-1234567 first_name='Anna' last_name='O'Neil' birth_date='1908-12-09' street='6 Example Street' "
         "city='St Example' state='Western Australia' postal_code='0401' country='Australia'"},
        {"febrl.json",
         ",rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id",
         "rec-1-dup-0, , , , , , , , , 19081309, 1234567",
         "user_id=ssid-1234567 country='Australia' !date_invalid"},
        {"splink_fake_1000.json", ",unique_id,first_name,surname,dob,city,email,cluster",
         "0,Robert,Alan,1971-06-24,,robert@example.net,0",
         "email=robert@example.net cookie=fake1000-0 first_name='Robert' last_name='Alan' birth_date='1971-06-24' country='United Kingdom'"},
        {"complete_journey_demographics.json",
         ",household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count",
         "\"1\",\"65+\",\"35-49K\",\"Homeowner\",,\"2\",\"2 Adults No Kids\",\"0\"",
         "user_id=household-1 age_range='65+' income='35-49K' household.home_ownership='Homeowner' household.size='2' "
         "household.composition='2 Adults No Kids' household.kids='0'"},
        {"online_retail_customers.json",
         ",InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
         "536367,84879,\"A, \"\"B\"\"\",32,2010-12-01 08:34:00,1.69,13047,EIRE",
         "user_id=retail-13047 country='Ireland' last_invoice='536367' @1291192440000000"},
        {"online_retail_customers.json",
         ",InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
         "536367,84879,A,32,2010-12-01 08:34:00,1.69,,Unspecified", "identifier_missing"},
    };
    static struct reading r;
    reading_begin(&r, "{}");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char *mapping = example(cases[i].file);
        map_row(&r, mapping, cases[i].header, cases[i].row);
        EXPECT_TEXT(r.text, cases[i].wanted);
        free(mapping);
    }
    reading_end(&r);
}

int main(void)
{
    RUN(test_transforms);
    RUN(test_sources_and_rest);
    RUN(test_json_through_a_mapping);
    RUN(test_mistakes);
    RUN(test_a_mistake_says_where);
    RUN(test_examples);
    return test_summary();
}
