#include "names.h"

#include "text.h"

enum { FOLDED_NAME_MAX = 24 };

const char *field_path(enum field field)
{
    switch (field) {
    case FIELD_CITY: return "location.city";
    case FIELD_STATE: return "location.state";
    case FIELD_COUNTRY: return "location.country";
    case FIELD_AGE: return "demographics.age";
    case FIELD_GENDER: return "demographics.gender";
    case FIELD_INCOME: return "demographics.income";
    case FIELD_EDUCATION: return "demographics.education";
    case FIELD_FIRST_NAME: return "first_name";
    case FIELD_LAST_NAME: return "last_name";
    case FIELD_POSTAL_CODE: return "location.postal_code";
    case FIELD_STREET: return "location.street";
    case FIELD_BIRTH_DATE: return "birth_date";
    case FIELD_OCCUPATION: return "demographics.occupation";
    case FIELD_LANGUAGE: return "language";
    case FIELD_INTERESTS: return "interests";
    case FIELD_NAME: return "name";
    case FIELD_BUILTIN_COUNT:
    case FIELD_ATTRIBUTE: break;
    }
    return "";
}

/* 0 when longer than any of ours, or with a character that none of ours has. */
static size_t fold_name(struct slice name, char out[FOLDED_NAME_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (c == '_' || c == ' ' || c == '-' || c == '.') {
            continue;
        }
        if ((!ascii_is_letter(c) && !ascii_is_digit(c)) || length == FOLDED_NAME_MAX) {
            return 0;
        }
        out[length++] = ascii_to_lower(c);
    }
    return length;
}

#define NAME(text, target_kind, target_number)                                                     \
    if (memcmp(s, text, sizeof text - 1) == 0) {                                                   \
        return (struct target){target_kind, target_number};                                        \
    }
#define FIELD(text, number)      NAME(text, TARGET_FIELD, number)
#define IDENTIFIER(text, number) NAME(text, TARGET_IDENTIFIER, number)

static struct target lookup_short(const char *s, size_t length)
{
    switch (length) {
    case 3:
        FIELD("age", FIELD_AGE)
        FIELD("sex", FIELD_GENDER)
        FIELD("zip", FIELD_POSTAL_CODE)
        FIELD("dob", FIELD_BIRTH_DATE)
        break;
    case 4:
        FIELD("city", FIELD_CITY)
        FIELD("name", FIELD_NAME)
        FIELD("town", FIELD_CITY)
        FIELD("lang", FIELD_LANGUAGE)
        IDENTIFIER("mail", IDENTIFIER_EMAIL)
        break;
    case 5:
        IDENTIFIER("email", IDENTIFIER_EMAIL)
        IDENTIFIER("phone", IDENTIFIER_PHONE)
        FIELD("state", FIELD_STATE)
        break;
    case 6:
        IDENTIFIER("cookie", IDENTIFIER_COOKIE)
        IDENTIFIER("userid", IDENTIFIER_USER_ID)
        IDENTIFIER("mobile", IDENTIFIER_PHONE)
        FIELD("gender", FIELD_GENDER)
        FIELD("income", FIELD_INCOME)
        FIELD("street", FIELD_STREET)
        FIELD("region", FIELD_STATE)
        break;
    case 7:
        FIELD("country", FIELD_COUNTRY)
        IDENTIFIER("user_id", IDENTIFIER_USER_ID)
        FIELD("zipcode", FIELD_POSTAL_CODE)
        FIELD("surname", FIELD_LAST_NAME)
        break;
    case 8:
        NAME("location", TARGET_LOCATION, 0)
        IDENTIFIER("deviceid", IDENTIFIER_DEVICE_ID)
        IDENTIFIER("cookieid", IDENTIFIER_COOKIE)
        FIELD("lastname", FIELD_LAST_NAME)
        FIELD("fullname", FIELD_NAME)
        FIELD("postcode", FIELD_POSTAL_CODE)
        FIELD("language", FIELD_LANGUAGE)
        FIELD("interest", FIELD_INTERESTS)
        FIELD("province", FIELD_STATE)
        FIELD("birthday", FIELD_BIRTH_DATE)
        FIELD("jobtitle", FIELD_OCCUPATION)
        break;
    default: break;
    }
    return (struct target){TARGET_ATTRIBUTE, 0};
}

/* Those of nine bytes and more; see name_lookup for the ones with an underscore. */
static struct target lookup_long(const char *s, size_t length)
{
    switch (length) {
    case 9:
        FIELD("interests", FIELD_INTERESTS)
        FIELD("education", FIELD_EDUCATION)
        IDENTIFIER("device_id", IDENTIFIER_DEVICE_ID)
        FIELD("last_name", FIELD_LAST_NAME)
        NAME("timestamp", TARGET_TIMESTAMP, 0)
        NAME("eventtime", TARGET_TIMESTAMP, 0)
        NAME("messageid", TARGET_MESSAGE_ID, 0)
        FIELD("firstname", FIELD_FIRST_NAME)
        FIELD("givenname", FIELD_FIRST_NAME)
        FIELD("birthdate", FIELD_BIRTH_DATE)
        IDENTIFIER("telephone", IDENTIFIER_PHONE)
        break;
    case 10:
        FIELD("first_name", FIELD_FIRST_NAME)
        FIELD("birth_date", FIELD_BIRTH_DATE)
        NAME("message_id", TARGET_MESSAGE_ID, 0)
        NAME("event_time", TARGET_TIMESTAMP, 0)
        FIELD("occupation", FIELD_OCCUPATION)
        FIELD("profession", FIELD_OCCUPATION)
        FIELD("postalcode", FIELD_POSTAL_CODE)
        FIELD("familyname", FIELD_LAST_NAME)
        break;
    case 11:
        FIELD("postal_code", FIELD_POSTAL_CODE)
        IDENTIFIER("phonenumber", IDENTIFIER_PHONE)
        IDENTIFIER("mobilephone", IDENTIFIER_PHONE)
        NAME("identifiers", TARGET_IDENTIFIERS, 0)
        FIELD("dateofbirth", FIELD_BIRTH_DATE)
        break;
    case 12:
        IDENTIFIER("phone_number", IDENTIFIER_PHONE)
        NAME("demographics", TARGET_DEMOGRAPHICS, 0)
        IDENTIFIER("emailaddress", IDENTIFIER_EMAIL)
        FIELD("locationcity", FIELD_CITY)
        break;
    case 13:
        FIELD("locationstate", FIELD_STATE)
        FIELD("streetaddress", FIELD_STREET)
        break;
    case 14: FIELD("locationstreet", FIELD_STREET) break;
    case 15:
        FIELD("locationcountry", FIELD_COUNTRY)
        FIELD("demographicsage", FIELD_AGE)
        break;
    case 18:
        FIELD("demographicsgender", FIELD_GENDER)
        FIELD("demographicsincome", FIELD_INCOME)
        FIELD("locationpostalcode", FIELD_POSTAL_CODE)
        break;
    case 21: FIELD("demographicseducation", FIELD_EDUCATION) break;
    case 22: FIELD("demographicsoccupation", FIELD_OCCUPATION) break;
    default: break;
    }
    return (struct target){TARGET_ATTRIBUTE, 0};
}

static inline struct target lookup(const char *s, size_t length)
{
    return length <= 8 ? lookup_short(s, length) : lookup_long(s, length);
}

static struct target lookup_folded(struct slice name)
{
    char folded[FOLDED_NAME_MAX];
    size_t length = fold_name(name, folded);
    return lookup(folded, length);
}

/* Fold, then look up. But nearly every name comes spelled like ours, which need not be folded; and
 * those of ours that have an underscore stand in the lists in that spelling, too. So what is found
 * as it stands is what folding would find: each spelling in the lists folds to one with the same
 * target (test_names.c). */
struct target name_lookup(struct slice name)
{
    struct target target = lookup(name.data, name.length);
    return target.kind != TARGET_ATTRIBUTE ? target : lookup_folded(name);
}

OUTLINED static struct target resolve_folded(struct slice name, const struct settings *settings)
{
    struct target target = lookup_folded(name);
    uint8_t type;
    if (target.kind == TARGET_ATTRIBUTE &&
        settings->identifier_type_count > IDENTIFIER_BUILTIN_COUNT &&
        settings_identifier_type(settings, name, &type)) {
        target = (struct target){TARGET_IDENTIFIER, type};
    }
    return target;
}

struct target name_resolve(struct slice name, const struct settings *settings)
{
    struct target target = lookup(name.data, name.length); /* as in name_lookup */
    return target.kind != TARGET_ATTRIBUTE ? target : resolve_folded(name, settings);
}
