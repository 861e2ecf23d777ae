/* Tries rows whose cells do not fit the header, quotes in every place, and column names people
 * really use. */
#include "support.h"

static void read_row(struct reading *r, const char *header, const char *row)
{
    struct csv_header *parsed = NULL;
    struct error error = {0};
    if (csv_header_parse(slice_from_cstr(header), &parsed, &error) != ERR_OK) {
        snprintf(r->text, sizeof r->text, "%s", error.code);
        return;
    }
    const struct record_form form = {
        .format = FORMAT_CSV, .etl_version = ETL_RULES_VERSION, .header = parsed};
    reading_read(r, slice_from_cstr(row), &form);
    csv_header_destroy(parsed);
}

static void test_rows(void)
{
    static const struct {
        const char *header, *row, *wanted;
    } cases[] = {
        {",Cookie,E-mail,First Name,ZIP Code", "c,A@x.org,Ann,01234",
         "email=a@x.org cookie=c first_name='Ann' postal_code='01234'"},
        {",email address,Mobile Phone,Date of Birth", "a@x.org,(650) 253-0000,1980-01-02",
         "email=a@x.org phone=+16502530000 birth_date='1980-01-02'"},
        {",cookie,location.city,demographics.age,interests", "c,Rome,30,a|b;c",
         "cookie=c city='Rome' age=30 +a +b +c"},
        {";cookie;a;b", "c;1,5;\"x;\"\"y\"\"\"", "cookie=c a='1,5' b='x;\"y\"'"},
        {",cookie,a", "c,\"1\n2\"", "cookie=c a='1 2'"},
        {",cookie,a", "\"c\" , \"x\" ", "cookie=c a='x'"},
        {",cookie,a", "c,5\" pipe", "cookie=c a='5\" pipe'"},
        {",cookie,a", "c,", "cookie=c"},
        {",cookie,a", "c,x\r\n", "cookie=c a='x'"},
        {",cookie,a", "c", "csv_columns"},
        {",cookie,a", "c,x,y", "csv_columns"},
        {",cookie,a", "c,\"x", "csv_quote"},
        {",cookie,a", "c,\"x\"y", "csv_quote"},
        {",cookie,a", "c,\xFF", "csv_encoding"},
        {",cookie,a", ",x", "identifier_missing"},
        {",cookie,n1,n2,n3,n4,b,t", "c,12,-0.5,007,1e5,False,9223372036854775808",
         "cookie=c n1=12 n2=-0.5 n3='007' n4='1e5' b=false t='9223372036854775808'"},
        {"\tcookie\ta", "c\tx y", "cookie=c a='x y'"},
    };
    static struct reading r;
    reading_begin(&r, "{}");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        read_row(&r, cases[i].header, cases[i].row);
        EXPECT_TEXT(r.text, cases[i].wanted);
    }
    reading_end(&r);
}

static void test_nul_in_a_cell(void)
{
    static struct reading r;
    reading_begin(&r, "{}");
    struct csv_header *header = NULL;
    struct error error;
    REQUIRE(csv_header_parse(SLICE_LITERAL(",cookie,a"), &header, &error) == ERR_OK);
    const struct record_form form = {
        .format = FORMAT_CSV, .etl_version = ETL_RULES_VERSION, .header = header};
    reading_read(&r, slice_of("c,x\0y", 5), &form);
    EXPECT_TEXT(r.text, "cookie=c !nul_character");
    reading_read(&r, slice_of("c\0d,x", 5), &form);
    EXPECT_TEXT(r.text, "nul_character:cookie");
    csv_header_destroy(header);
    reading_end(&r);
}

/* 1,024 columns work, one more is refused. */
static void test_many_columns(void)
{
    static struct reading r;
    reading_begin(&r, "{}");
    struct buffer header;
    struct buffer row;
    buffer_init(&header, 1u << 20);
    buffer_init(&row, 1u << 20);
    buffer_append_cstr(&header, ",cookie");
    buffer_append_cstr(&row, "c");
    for (unsigned i = 1; i < 1024; i++) {
        buffer_append_format(&header, ",k%u", i);
        buffer_append_cstr(&row, ",");
    }
    buffer_append_char(&row, '7');
    buffer_append_char(&row, '\0');
    char *many = strndup(header.data, header.length);
    read_row(&r, many, row.data);
    EXPECT_TEXT(r.text, "cookie=c k1023=7");
    free(many);
    buffer_append_cstr(&header, ",one_more");
    buffer_append_char(&header, '\0');
    read_row(&r, header.data, row.data);
    EXPECT_TEXT(r.text, "csv_too_many_columns");
    buffer_deinit(&header);
    buffer_deinit(&row);
    reading_end(&r);
}

int main(void)
{
    RUN(test_rows);
    RUN(test_nul_in_a_cell);
    RUN(test_many_columns);
    return test_summary();
}
