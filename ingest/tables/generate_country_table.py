#!/usr/bin/env python3
"""Writes country_table.c from npm `i18n-iso-countries` (MIT): codes and English names.

    npm pack i18n-iso-countries@7.14.0 && tar xzf i18n-iso-countries-7.14.0.tgz
    python3 generate_country_table.py package > country_table.c

Our own choices are NAMES (the one spelling kept) and ALIASES (further spellings found in the wild). Changing
a spelling changes what a replay gives: raise ETL_RULES_VERSION.
"""
import json
import re
import sys

VERSION = "7.14.0"

NAMES = {
    "US": "USA", "GB": "United Kingdom", "CN": "China", "BN": "Brunei", "CG": "Republic of the Congo",
    "CD": "Democratic Republic of the Congo", "CI": "Ivory Coast", "CZ": "Czechia", "FK": "Falkland Islands",
    "GM": "Gambia", "VA": "Vatican City", "IR": "Iran", "KR": "South Korea", "KP": "North Korea", "LA": "Laos",
    "FM": "Micronesia", "MD": "Moldova", "NL": "Netherlands", "MK": "North Macedonia", "PS": "Palestine",
    "RU": "Russia", "SY": "Syria", "TW": "Taiwan", "TZ": "Tanzania", "TR": "Turkey", "VG": "British Virgin Islands",
    "VI": "US Virgin Islands", "RE": "Réunion", "MF": "Saint Martin", "SX": "Sint Maarten", "MO": "Macau",
    "BQ": "Caribbean Netherlands", "CC": "Cocos Islands", "AX": "Åland Islands", "ST": "São Tomé and Príncipe",
    "PN": "Pitcairn Islands",
}

ALIASES = {
    "US": ["United States of America", "Estados Unidos", "America", "U S A", "U S of A", "US of A", "États-Unis",
           "Vereinigte Staaten"],
    "GB": ["England", "Scotland", "Wales", "Northern Ireland", "Britain", "U.K.", "G.B.",
           "United Kingdom of Great Britain and Northern Ireland", "UK"],
    "IE": ["EIRE", "Republic of Ireland", "Éire"], "ZA": ["RSA", "Republic of South Africa"],
    "DE": ["Deutschland", "Federal Republic of Germany", "Allemagne"], "ES": ["España", "Espana"],
    "AT": ["Österreich", "Oesterreich"], "CH": ["Schweiz", "Suisse", "Svizzera"], "BR": ["Brasil"],
    "MX": ["México", "Mejico"], "IT": ["Italia"], "NL": ["Holland", "Nederland", "The Netherlands"],
    "BE": ["Belgique", "België", "Belgie"], "PL": ["Polska"], "SE": ["Sverige"], "NO": ["Norge"],
    "DK": ["Danmark"], "FI": ["Suomi"], "HU": ["Magyarország"], "GR": ["Hellas"], "TR": ["Türkiye", "Turkiye"],
    "CZ": ["Czech Republic", "Česko"], "RU": ["Russian Federation", "Россия"], "UA": ["Україна"],
    "JP": ["Nippon", "日本"], "CN": ["PRC", "P.R. China", "Mainland China", "中国"], "TW": ["Republic of China", "ROC"],
    "KR": ["Korea", "Korea South", "Republic of Korea"], "KP": ["DPRK", "Korea North"],
    "VN": ["Viet Nam"], "AE": ["Emirates", "U.A.E."], "SA": ["KSA", "Kingdom of Saudi Arabia"],
    "HK": ["Hong Kong SAR", "Hong Kong S.A.R."], "MO": ["Macao", "Macao SAR"], "IN": ["Bharat", "Republic of India"],
    "NZ": ["Aotearoa"], "CI": ["Cote dIvoire"], "CV": ["Cabo Verde"], "SZ": ["Swaziland"], "MM": ["Burma"],
    "MK": ["Macedonia", "FYROM"], "TL": ["East Timor"], "CD": ["DRC", "DR Congo", "Congo Kinshasa"],
    "CG": ["Congo", "Congo Brazzaville"], "VA": ["Holy See", "Vatican"], "LA": ["Lao"], "IR": ["Persia"],
    "FK": ["Falklands", "Malvinas"], "PH": ["The Philippines", "Pilipinas"], "RE": ["Reunion"],
    "SH": ["St Helena"], "KN": ["St Kitts and Nevis"], "LC": ["St Lucia"], "VC": ["St Vincent and the Grenadines"],
    "PM": ["St Pierre and Miquelon"], "BL": ["St Barthelemy", "Saint Barthelemy"], "MF": ["St Martin"],
    "CW": ["Curacao"], "ST": ["Sao Tome"], "SX": ["St Maarten"], "TT": ["Trinidad"], "BA": ["Bosnia"],
    "SK": ["Slovak Republic"], "MD": ["Republic of Moldova"], "BO": ["Plurinational State of Bolivia"],
    "VE": ["Bolivarian Republic of Venezuela"], "AG": ["Antigua"], "BQ": ["Bonaire Sint Eustatius and Saba"],
}


def fold(name):
    """As fold_place() in places.c: ASCII letters lower-case, ASCII digits, and all other bytes above 127."""
    kept = b""
    for byte in name.encode():
        char = chr(byte)
        if byte >= 128:
            kept += bytes([byte])
        elif char.isalnum():
            kept += char.lower().encode()
    return kept


def literal(data):
    out = ""
    for byte in data:
        out += chr(byte) if 32 <= byte < 127 else "\\%03o" % byte
    return '"' + out + '"'


def main():
    folder = sys.argv[1]
    names = json.load(open(folder + "/langs/en.json"))["countries"]
    codes = {row[0]: row[1] for row in json.load(open(folder + "/codes.json"))}
    countries, keys = [], {}
    for alpha2 in sorted(codes):
        given = names.get(alpha2, alpha2)
        given = given if isinstance(given, list) else [given]
        name = NAMES.get(alpha2, given[0])
        countries.append((alpha2, codes[alpha2], name))
    order = {row[0]: i for i, row in enumerate(countries)}
    # Codes first, then names, then aliases: an earlier one wins.
    def add(word, alpha2, must=False):
        key = fold(word)
        if keys.get(key, alpha2) != alpha2 and must:
            raise SystemExit("two countries are called %s" % word)
        keys.setdefault(key, alpha2)
    for alpha2, alpha3, name in countries:
        add(alpha2, alpha2, True)
        add(alpha3, alpha2, True)
        add(name, alpha2, True)
    for alpha2, words in ALIASES.items():
        for word in words:
            add(word, alpha2, True)
    for alpha2 in sorted(codes):
        given = names.get(alpha2, alpha2)
        for word in given if isinstance(given, list) else [given]:
            add(word, alpha2)
            add(re.sub(r"\(.*\)|,.*", "", word), alpha2)
    print("/* Generated by generate_country_table.py from i18n-iso-countries %s (MIT). Do not edit: run the script" % VERSION)
    print(" * again. */")
    print('#include "tables/country_table.h"\n')
    print("/* clang-format off */")
    print("const struct country countries[] = {")
    for alpha2, alpha3, name in countries:
        print("    {\"%s\", \"%s\", %s}," % (alpha2, alpha3, literal(name.encode())))
    print("};")
    print("const size_t country_count = sizeof countries / sizeof countries[0];\n")
    print("const struct country_key country_keys[] = {")
    for key in sorted(keys):
        first = int.from_bytes(key[:4].ljust(4, b"\0"), "big")
        print("    {%s, 0x%08x, %d}," % (literal(key), first, order[keys[key]]))
    print("};")
    print("/* clang-format on */")
    print("const size_t country_key_count = sizeof country_keys / sizeof country_keys[0];")


main()
